//! What was seen in a network namespace against what its kernel counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was seen in a network namespace against what the kernel counted there itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// Inode of the network namespace.
    pub namespace: u32,
    /// Milliseconds since the audit of this namespace began: with the start of the observer, or when it was first seen.
    pub interval_ms: u64,
    /// There were acts, but no process is left in the namespace by which its counters could be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Hook runs that the kernel has skipped on this host since the start: an act each may have been missed by.
    pub missed: u64,
    /// Things that did not fit a map of the kernel side since the start.
    pub overflow: u64,
    /// Findings on this host in which the kernel's reason contradicts the prediction, since the start.
    pub disagreements: u64,
    /// RSTs on this host outside a process's own act whose connection nobody is remembered for, since the start.
    pub unknown_owners: u64,
    /// Counter by counter; absent with `unreadable`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<AuditedCounter>,
    /// Sum of the absolute residuals: anything but 0 is explained in docs/architecture.md, or a fault of ours. Absent
    /// with `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<u64>,
}

/// One counter of the kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditedCounter {
    /// Its SNMP name, such as `TCPAbortOnClose`.
    pub counter: String,
    /// Acts seen that this counter counts, since the audit of this namespace began.
    pub seen: u64,
    /// What the kernel has counted since.
    pub kernel: u64,
    /// What the kernel counted beyond what was seen, or less than that (negative); 0 where the relation holds, and where
    /// RSTs that could not be made (TCPAbortFailed) account for the difference.
    pub residual: i64,
    /// What `seen` should be.
    pub relation: Relation,
}

/// What our sum should be, compared with the kernel's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The same.
    Equal,
    /// The same or less: the kernel also counts what no hook can see.
    AtMost,
}
