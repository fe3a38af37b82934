//! What an observer is asked to do, free of how it was asked.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use ipnet::IpNet;

use crate::{cause::Cause, plan::PlanChoice, severity::Severity};

/// Everything about one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Attach plan.
    pub hooks: PlanChoice,
    /// What to report.
    pub filters: FilterSet,
    /// Frames of the user stack, 0 to 64.
    pub stack_depth: u32,
    /// Size of the ring buffer in bytes, a power of two of at least a page.
    pub ring_bytes: u32,
    /// Connections whose owners are remembered.
    pub owners: u32,
    /// Longest time a finding may wait in the ring; zero wakes the reader for each one.
    pub latency: Duration,
    /// Show diagnostics of the kernel side on standard error.
    pub kernel_log: bool,
    /// Format of the stream.
    pub format: Format,
    /// Where the stream goes instead of standard output.
    pub output: Option<PathBuf>,
    /// Stop after so many findings.
    pub count: Option<u64>,
    /// Stop after so much time.
    pub duration: Option<Duration>,
    /// How often the totals are compared with the kernel's counters; None for never.
    pub audit: Option<Duration>,
    /// Causes that make the exit status 1.
    pub fail_on: Vec<Cause>,
    /// A command to run and observe; empty for none.
    pub command: Vec<OsString>,
}

impl Options {
    /// Whether a command is run.
    #[must_use]
    pub fn has_command(&self) -> bool {
        !self.command.is_empty()
    }
}

/// Filters. An empty list filters nothing.
#[derive(Clone, Debug, Default)]
pub struct FilterSet {
    /// Process ids.
    pub pids: Vec<u32>,
    /// Observe the children of observed processes too.
    pub children: bool,
    /// Process or thread names.
    pub comms: Vec<String>,
    /// Real user ids.
    pub uids: Vec<u32>,
    /// Ports at either end.
    pub ports: Vec<u16>,
    /// Networks of the remote address.
    pub peers: Vec<IpNet>,
    /// Inodes of network namespaces.
    pub netns: Vec<u32>,
    /// Least severity. The only filter that is not evaluated in the kernel.
    pub severity: Severity,
    /// Causes; empty for all but `clean`, and `no_socket` only with a story.
    pub causes: Vec<Cause>,
    /// Least number of unread bytes.
    pub min_unread: u32,
    /// Report orderly closes too.
    pub all_closes: bool,
}

/// Format of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// One sentence a line, for people.
    Text,
}
