//! What an observer is asked to do, free of how it was asked.

mod quantity;
mod sinks;
mod syslog;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use ipnet::IpNet;
use observer_ebpf::Stacks as Bits;

pub use quantity::{Size, Time};
pub use sinks::{
    Compress, FileSink, Fsync, JournaldSink, OtlpProtocol, OtlpSink, PrometheusSink, RecordSink, Sinks, SyslogSink,
};
pub use syslog::{Facility, SyslogAddress};

use crate::{cause::Cause, plan::PlanChoice, processes::Redaction, severity::Severity};

/// Everything about one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Attach plan.
    pub hooks: PlanChoice,
    /// What to report.
    pub filters: FilterSet,
    /// Which stacks to record.
    pub stacks: Stacks,
    /// Frames of each, 0 to 64.
    pub stack_depth: u32,
    /// How long an event may wait for symbols.
    pub symbol_budget: Duration,
    /// Size of the ring buffer in bytes, a power of two of at least a page.
    pub ring_bytes: u32,
    /// Connections whose owners are remembered.
    pub owners: u32,
    /// Processes that are remembered after their end.
    pub processes: u32,
    /// What is told of the arguments of processes.
    pub redaction: Redaction,
    /// Longest time a finding may wait in the ring; zero wakes the reader for each one.
    pub latency: Duration,
    /// Watch DNS answers, for the names of peers.
    pub dns: bool,
    /// Ask for the names of peers that are not known otherwise.
    pub ptr: bool,
    /// Show diagnostics of the kernel side on standard error.
    pub kernel_log: bool,
    /// Format of the stream.
    pub format: Format,
    /// Where the stream goes.
    pub output: Destination,
    /// Where events go besides.
    pub sinks: Sinks,
    /// Stop after so many findings.
    pub count: Option<u64>,
    /// Stop after so much time.
    pub duration: Option<Duration>,
    /// How often the totals are compared with the kernel's counters; None for never.
    pub audit: Option<Duration>,
    /// Window within which connections that come and go are judged; None for never.
    pub churn: Option<Duration>,
    /// Pairs of process and peer whose connections are counted in half of it.
    pub churn_pairs: u32,
    /// Causes that make the exit status 1.
    pub fail_on: Vec<Cause>,
    /// The configuration file that they are from, in part: SIGHUP reads it again.
    pub config: Option<PathBuf>,
    /// How much is given up after attaching.
    pub sandbox: Sandboxing,
    /// The user to become then, as a name or `UID:GID`.
    pub user: Option<String>,
    /// A command to run and observe; empty for none.
    pub command: Vec<OsString>,
}

impl Options {
    /// Whether a command is run.
    #[must_use]
    pub fn has_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Takes over what can change during a run: filters and sinks. Gives the options whose other values need a restart.
    pub fn reload(&mut self, new: &Self) -> Vec<String> {
        self.filters = new.filters.clone();
        self.sinks = new.sinks.clone();
        let changed = [
            ("hooks", self.hooks.to_string() != new.hooks.to_string()),
            ("stack", self.stacks != new.stacks),
            ("stack-depth", self.stack_depth != new.stack_depth),
            ("symbol-budget", self.symbol_budget != new.symbol_budget),
            ("ring-size", self.ring_bytes != new.ring_bytes),
            ("owners", self.owners != new.owners),
            ("processes", self.processes != new.processes),
            ("redact-args", self.redaction != new.redaction),
            ("latency", self.latency != new.latency),
            ("dns", self.dns != new.dns),
            ("ptr", self.ptr != new.ptr),
            ("kernel-log", self.kernel_log != new.kernel_log),
            ("format", self.format != new.format),
            ("output", self.output != new.output),
            ("count", self.count != new.count),
            ("duration", self.duration != new.duration),
            ("audit", self.audit != new.audit),
            ("churn", self.churn != new.churn),
            ("churn-pairs", self.churn_pairs != new.churn_pairs),
            ("fail-on", self.fail_on != new.fail_on),
            ("user", self.user != new.user),
            ("sandbox", self.sandbox != new.sandbox),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
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

/// Which stacks to record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stacks {
    /// The process's.
    #[default]
    User,
    /// The kernel's.
    Kernel,
    /// The process's and the kernel's.
    Both,
    /// None.
    None,
}

impl Stacks {
    /// In the words of the kernel side.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::User => Bits::USER,
            Self::Kernel => Bits::KERNEL,
            Self::Both => Bits::USER | Bits::KERNEL,
            Self::None => 0,
        }
    }
}

/// How much is given up after attaching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandboxing {
    /// Everything, or the run ends.
    Strict,
    /// Whatever the kernel lets one give up.
    #[default]
    BestEffort,
    /// Nothing.
    Off,
}

impl Sandboxing {
    /// As the command line and events spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

/// Where the stream goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    #[default]
    Stdout,
    /// A file, made anew.
    File(PathBuf),
    /// Nowhere: sinks take the events.
    Nowhere,
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
