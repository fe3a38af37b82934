//! What was lost, and the balance at the end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// Findings that were lost since the last such event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Where: `ring`, the buffer between kernel and observer (see `--ring-size`).
    #[serde(rename = "where")]
    pub place: String,
    /// How many.
    pub lost: u64,
    /// The same by cause.
    pub causes: Vec<LostCount>,
    /// Sum over the stream so far.
    pub total_lost: u64,
}

/// Lost findings of one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LostCount {
    /// The cause.
    pub cause: Cause,
    /// How many.
    pub count: u64,
}

/// The balance of the stream: `submitted = received + lost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Why: `signal`, `count`, `duration`, `command`, `pipe` (the reader went away) or `error`.
    pub reason: String,
    /// Findings that passed the filters.
    pub submitted: u64,
    /// Of those, the ones that reached the observer.
    pub received: u64,
    /// Of those, the ones that the ring had no room for.
    pub lost: u64,
    /// Records that could not be decoded; anything but 0 is a fault of ours.
    pub malformed: u64,
    /// Findings in which the kernel's reason contradicts the prediction.
    pub disagreements: u64,
    /// RSTs withheld because a process filter is on and nobody knows their process.
    pub unattributed: u64,
    /// RSTs outside a process's own act whose connection nobody is remembered for (see `--owners`).
    pub unknown_owners: u64,
    /// Of those received, the ones below `--severity`.
    pub below_severity: u64,
    /// Of those received, the ones after `--count` was reached.
    pub beyond_count: u64,
    /// Hook runs that the kernel skipped: it allows one at a time on a CPU.
    pub missed: u64,
    /// Things that did not fit a map of the kernel side.
    pub overflow: u64,
    /// Everything counted on this host since the hooks were attached, whatever the filters.
    pub totals: Vec<TotalCount>,
}

/// Totals of one network namespace and cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TotalCount {
    /// Inode of the network namespace; absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u32>,
    /// The cause.
    pub cause: Cause,
    /// Acts.
    pub acts: u64,
    /// Acts with a RST of this host.
    pub resets: u64,
    /// Acts that answered a segment with a RST.
    pub answers: u64,
    /// Unread bytes, summed.
    pub unread_bytes: u64,
    /// Acts that passed the filters.
    pub submitted: u64,
    /// Of those, the ones lost.
    pub lost: u64,
}
