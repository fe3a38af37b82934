//! What was lost, and the balance at the end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Naming;
use crate::cause::Cause;

/// Events that were lost since the last such event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Where: `ring`, the buffer between kernel and observer (see `--ring-size`), or `sink`.
    #[serde(rename = "where")]
    pub place: String,
    /// The sink whose queue was full, or whose receiver refused the events; the others have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// How many.
    pub lost: u64,
    /// The same by cause; empty for sinks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// How often the process of a finding was known when it was asked for.
    pub process_hits: u64,
    /// How often it had to be looked up in `/proc`.
    pub process_misses: u64,
    /// How often it had ended by then: nothing but its name is told.
    pub unknown_processes: u64,
    /// Forks, executed programs and ends of processes that were lost on the way from the kernel.
    pub lost_processes: u64,
    /// How peers were named.
    #[serde(default)]
    pub naming: Naming,
    /// How functions on stacks were named.
    #[serde(default)]
    pub symbols: SymbolCounts,
    /// Verdicts on connections that come and go; absent with `--churn 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn: Option<ChurnBalance>,
    /// What became of the events in each sink, up to this one; `stdout` is the stream beside sinks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkBalance>,
    /// Everything counted on this host since the hooks were attached, whatever the filters.
    pub totals: Vec<TotalCount>,
}

/// What became of the events of one sink: `accepted = delivered + lost + waiting`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkBalance {
    /// Its kind and where it goes, as `file:/var/log/conn-observer/events.ndjson`.
    pub name: String,
    /// Events that were to go there.
    pub accepted: u64,
    /// Of those, the ones that it took.
    pub delivered: u64,
    /// Of those, the ones that its queue had no room for, or that the receiver refused.
    pub lost: u64,
    /// Of those, the ones in its queue.
    pub waiting: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
}

/// How functions on stacks were named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolCounts {
    /// Stacks whose symbols were known.
    pub hits: u64,
    /// Stacks that had to be looked up.
    pub misses: u64,
    /// Of those, the ones that took longer than `--symbol-budget`: later stacks have their symbols.
    pub late: u64,
    /// Of those, the ones that were not looked up: too many waited.
    pub shed: u64,
    /// Files and processes whose symbols were forgotten for want of memory.
    pub evicted: u64,
}

/// Verdicts on connections that come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChurnBalance {
    /// `churn` events in the stream.
    pub told: u64,
    /// Verdicts below `--severity`.
    pub below_severity: u64,
    /// Verdicts beyond the 64 that are told of a window.
    pub beyond: u64,
    /// Beginnings and ends of connections that were not counted, for there was no room (see `--churn-pairs`).
    pub uncounted: u64,
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
