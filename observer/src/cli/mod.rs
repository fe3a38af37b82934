//! The command line. The only module that knows clap.

mod completions;
pub(crate) mod config;
mod diff;
mod doctor;
mod explain;
mod export;
mod man;
mod manual;
mod query;
mod report;
mod replay;
mod selection;
mod sinks;
mod snapshot;
#[cfg(test)]
mod tests;
mod top;
mod values;
mod view;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::{Result, anyhow, bail};
use clap::{Parser, Subcommand};
use ipnet::IpNet;

use self::{
    completions::CompletionsArguments,
    config::ConfigArguments,
    diff::DiffArguments,
    doctor::DoctorArguments,
    explain::ExplainArguments,
    export::ExportArguments,
    man::ManArguments,
    query::QueryArguments,
    replay::ReplayArguments,
    report::ReportArguments,
    snapshot::SnapshotArguments,
    top::TopArguments,
    values::{FormatName, RedactionName, SandboxName, StackName},
};
use crate::{
    cause::Cause,
    doctor::Request,
    options::{Destination, FilterSet, Options, RecordSink, Sinks},
    plan::PlanChoice,
    severity::Severity,
};

/// The program's name.
const NAME: &str = "conn-observer";

/// Names who closed a TCP connection badly: process, thread, stack, peer and bytes lost. One JSON object a line.
#[derive(Debug, Parser)]
#[command(name = NAME, version, args_conflicts_with_subcommands = true, after_help = manual::after_help())]
pub struct Cli {
    #[command(subcommand)]
    chore: Option<Chore>,

    /// Observe this process; may be given several times
    #[arg(long, value_name = "PID", help_heading = "Filters")]
    pid: Vec<u32>,
    /// Observe the children of the named processes too, from their first instruction
    #[arg(long, help_heading = "Filters")]
    children: bool,
    /// Observe processes or threads of this name (15 bytes count)
    #[arg(long, value_name = "NAME", help_heading = "Filters", value_parser = values::comm)]
    comm: Vec<String>,
    /// Observe processes of this user
    #[arg(long, value_name = "UID", help_heading = "Filters")]
    uid: Vec<u32>,
    /// Observe connections with this port at either end
    #[arg(long, value_name = "PORT", help_heading = "Filters")]
    port: Vec<u16>,
    /// Observe connections to this remote address or network
    #[arg(long, value_name = "CIDR", help_heading = "Filters", value_parser = values::network)]
    peer: Vec<IpNet>,
    /// Observe this network namespace (`stat -Lc %i /proc/PID/ns/net`)
    #[arg(long, value_name = "INODE", help_heading = "Filters")]
    netns: Vec<u32>,
    /// Report these causes only, separated by commas; see the list below
    #[arg(long, value_name = "CAUSE", value_delimiter = ',', help_heading = "Filters", value_parser = values::cause(),
          hide_possible_values = true)]
    cause: Vec<Cause>,
    /// Report findings with at least so many unread bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = "Filters")]
    min_unread: u32,
    /// Report findings of this severity or worse: benign, suspect or harmful
    #[arg(long, value_name = "LEVEL", default_value_t, hide_default_value = true, help_heading = "Filters", value_parser = values::severity(),
          hide_possible_values = true)]
    severity: Severity,
    /// Report orderly closes too
    #[arg(long, help_heading = "Filters")]
    all_closes: bool,

    /// Format of the events
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: FormatName,
    /// Write the events to this file, made anew, instead of standard output
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Send the events there; may be given several times: file, journald, syslog, otlp, prometheus or record, and its settings.
    /// Nothing then goes to standard output unless --output asks for it
    #[arg(long, value_name = "KIND,KEY=VALUE,…", help_heading = "Output")]
    sink: Vec<String>,
    /// Record the events in this store, for query, explain, report and top; short for --sink record,path=PATH
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Those of the configuration file.
    #[arg(skip)]
    sinks: Sinks,
    /// Take options from this file, too; `conn-observer config default` prints one. SIGHUP then reads it again
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    config: Option<PathBuf>,
    /// Stop after so many findings
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this time, e.g. 500ms, 10s, 2m, 1h
    #[arg(long, value_name = "TIME", help_heading = "Output", value_parser = values::duration)]
    duration: Option<Duration>,
    /// Compare the totals with the kernel's own counters this often, and at the end; 0 for never
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = "Output", value_parser = values::pause)]
    audit: Duration,
    /// Tell which processes make connections to a peer and close them again and again within this time, a sliding
    /// window; at most once in it, and at the end. 0 for never
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = "Output", value_parser = values::pause)]
    churn: Duration,
    /// Exit with 1 when one of these causes passed the filters
    #[arg(long, value_name = "CAUSE", value_delimiter = ',', help_heading = "Output", value_parser = values::cause(),
          hide_possible_values = true)]
    fail_on: Vec<Cause>,
    /// Arguments of processes to mask
    #[arg(long, value_enum, value_name = "WHICH", default_value_t, help_heading = "Output")]
    redact_args: RedactionName,
    /// Call stacks to record
    #[arg(long, value_enum, value_name = "WHICH", default_value_t, help_heading = "Output")]
    stack: StackName,
    /// Frames of each stack to record, 0 to 64
    #[arg(long, value_name = "FRAMES", default_value_t = 32, help_heading = "Output",
          value_parser = clap::value_parser!(u32).range(0..=64))]
    stack_depth: u32,
    /// Longest time that an event may wait for symbols; 0 for those that are known already. Later events have them
    #[arg(long, value_name = "TIME", default_value = "5ms", help_heading = "Output", value_parser = values::pause)]
    symbol_budget: Duration,

    /// Kernel hooks: auto, fentry, kprobe or tracepoint
    #[arg(long, value_name = "PLAN", default_value_t, help_heading = "Kernel", value_parser = values::hooks(), hide_possible_values = true)]
    hooks: PlanChoice,
    /// Size of the buffer between kernel and observer in bytes, a power of two
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, help_heading = "Kernel", value_parser = values::ring_size)]
    ring_size: u32,
    /// Connections whose owners are remembered, for RSTs that come later
    #[arg(long, value_name = "N", default_value_t = 32_768, help_heading = "Kernel",
          value_parser = clap::value_parser!(u32).range(16..=16_777_216))]
    owners: u32,
    /// Processes that are remembered after their end, for findings that come later
    #[arg(long, value_name = "N", default_value_t = 8_192, help_heading = "Kernel",
          value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    processes: u32,
    /// Pairs of process and peer whose connections are counted within half the time of --churn
    #[arg(long, value_name = "N", default_value_t = 8_192, help_heading = "Kernel",
          value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    churn_pairs: u32,
    /// Longest time in milliseconds that a finding may wait in the kernel; 0 wakes the observer for each one
    #[arg(long, value_name = "MS", default_value_t = 100, help_heading = "Kernel")]
    latency: u64,
    /// Watch DNS answers over UDP, to name peers as the processes have asked for them
    #[arg(long, help_heading = "Names")]
    dns: bool,
    /// Look up the names of peers that are not known otherwise: this host's resolver is asked
    #[arg(long, help_heading = "Names")]
    ptr: bool,
    /// Show diagnostics of the kernel side on standard error
    #[arg(long, help_heading = "Kernel")]
    kernel_log: bool,

    /// What to give up once the hooks are attached; COMMAND keeps all
    #[arg(long, value_enum, value_name = "HOW", default_value_t, help_heading = "Privileges")]
    sandbox: SandboxName,
    /// Go on as this user, a NAME or UID:GID; COMMAND does not
    #[arg(long, value_name = "USER", help_heading = "Privileges")]
    user: Option<String>,

    /// Run a command, observe its process tree from its first instruction, and end with its exit status. Its standard
    /// output goes to standard error unless --output takes the events
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Print the JSON Schema of the events
    Schema,
    /// Check what works on this machine, and make each cause that plain sockets can make, to see it come back
    ///
    /// Each check is ok, limited, failed or skipped, with what can be done about it. Exit status: 0 all that is needed
    /// works; 2 something does not.
    Doctor(DoctorArguments),
    /// Tell of an incident on one page for a browser, which needs no network
    ///
    /// A summary in words, what to do, findings over time, processes and peers, a flame graph of the code, a table to
    /// filter and sort, and what is not known.
    Report(ReportArguments),
    /// Tell the story of one finding
    ///
    /// What happened to the connection, why the kernel sent RST, who did it and in which line, what to do, what the other
    /// end saw, and how often the like happens.
    Explain(ExplainArguments),
    /// Look at recorded events: themselves, or how many of which there are
    ///
    /// Of a store, of files of JSON lines or of standard input. All times are UTC.
    Query(Box<QueryArguments>),
    /// Write recorded events into a file for other engines
    ///
    /// All events of a store, of files of JSON lines or of standard input, unless filters or --type say which. Times are UTC.
    Export(Box<ExportArguments>),
    /// Compare two times or two files: what is new, gone, more or less, as before and after a deployment
    ///
    /// Exit status: 0, or 1 with --fail-on-new; 2 when it could not compare. Times are UTC.
    Diff(Box<DiffArguments>),
    /// Watch who closes badly now, or at any time before: rates by process, peer and cause, on the whole screen
    ///
    /// Without a store it observes by itself as long as it runs, which takes root. `?` tells the keys.
    Top(TopArguments),
    /// Show the sockets that hold unread data now, the one that waits longest first: the RSTs to come
    ///
    /// All network namespaces that some process is in; root sees them, and who holds a socket.
    Snapshot(SnapshotArguments),
    /// Send recorded events once more, at their own pace or another, to standard output or into sinks
    ///
    /// All events of a store, of files of JSON lines or of standard input, unless filters or --type say which.
    Replay(Box<ReplayArguments>),
    /// Check, show or explain a configuration file
    Config(ConfigArguments),
    /// Print a man page
    Man(ManArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
}

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// Observe.
    Observe(Box<Options>),
    /// Print the JSON Schema.
    Schema,
    /// Print this text.
    Print(String),
    /// Write these files, each a name and its content.
    Write {
        /// Where to.
        folder: PathBuf,
        /// Names and contents.
        files: Vec<(String, String)>,
    },
    /// Check this machine.
    Doctor(Box<Request>),
    /// Look at events.
    Look(Look),
}

/// Looks at events; what it gives is the exit status.
pub struct Look(Box<dyn FnOnce() -> Result<u8>>);

impl Look {
    /// Does it.
    ///
    /// # Errors
    /// Those of the view.
    pub fn perform(self) -> Result<u8> {
        (self.0)()
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Look")
    }
}

impl Cli {
    /// Parses the process's arguments. `--help` and `--version` print and exit.
    ///
    /// # Errors
    /// One sentence for a wrong command line.
    pub fn from_arguments() -> Result<Self> {
        let words: Vec<OsString> = std::env::args_os().collect();
        let cli = Self::try_parse_from(&words).map_err(|error| {
            if !error.use_stderr() {
                error.exit();
            }
            anyhow!(sentence(&error.render().to_string()))
        })?;
        match &cli.config {
            Some(path) => config::parse(&words, path),
            None => Ok(cli),
        }
    }

    /// The options of the command line and the configuration file as it is now.
    ///
    /// # Errors
    /// As [`Cli::from_arguments`] and [`Cli::task`].
    pub fn options_again() -> Result<Options> {
        Self::from_arguments()?.options()
    }

    /// What the command line asks for.
    ///
    /// # Errors
    /// When options contradict each other.
    pub fn task(mut self) -> Result<Task> {
        match self.chore.take() {
            Some(Chore::Schema) => return Ok(Task::Schema),
            Some(Chore::Man(arguments)) => return arguments.task(),
            Some(Chore::Query(arguments)) => return arguments.task(),
            Some(Chore::Export(arguments)) => return arguments.task(),
            Some(Chore::Diff(arguments)) => return arguments.task(),
            Some(Chore::Replay(arguments)) => return arguments.task(),
            Some(Chore::Completions(arguments)) => return Ok(arguments.task()),
            // No option stands beside a sub-command, so what is left is what an observer does by default.
            Some(Chore::Doctor(arguments)) => {
                return self.options().map(|defaults| Task::Doctor(Box::new(arguments.request(defaults))));
            }
            Some(Chore::Explain(arguments)) => return arguments.task(),
            Some(Chore::Report(arguments)) => return arguments.task(),
            Some(Chore::Top(arguments)) => return arguments.task(),
            Some(Chore::Snapshot(arguments)) => return arguments.task(),
            Some(Chore::Config(arguments)) => return arguments.answer().map(Task::Print),
            None => {}
        }
        self.options().map(|options| Task::Observe(Box::new(options)))
    }

    /// The options of a run.
    fn options(self) -> Result<Options> {
        if self.children && self.pid.is_empty() && self.command.is_empty() {
            bail!("--children follows the processes of --pid or COMMAND: name one");
        }
        if self.user.is_some() && matches!(self.sandbox, SandboxName::Off) {
            bail!("--user is part of the sandbox: leave --sandbox off away");
        }
        for cause in &self.fail_on {
            let named = self.cause.contains(cause);
            let reported = match cause {
                // An orderly close is never worse than benign.
                Cause::Clean => (named || self.all_closes) && self.severity.is_least(),
                _ => named || self.cause.is_empty(),
            };
            if !reported {
                bail!(
                    "--fail-on {cause} would never apply: filters come first, so let --cause name {cause} and --severity let it pass"
                );
            }
        }
        let has_command = !self.command.is_empty();
        let mut sinks = self.sinks;
        sinks::add(&self.sink, &mut sinks)?;
        sinks.record.extend(self.record.map(RecordSink::into));
        Ok(Options {
            hooks: self.hooks,
            filters: FilterSet {
                pids: self.pid,
                children: self.children || has_command,
                comms: self.comm,
                uids: self.uid,
                ports: self.port,
                peers: self.peer,
                netns: self.netns,
                severity: self.severity,
                causes: self.cause,
                min_unread: self.min_unread,
                all_closes: self.all_closes,
            },
            stacks: self.stack.into(),
            stack_depth: self.stack_depth,
            symbol_budget: self.symbol_budget,
            ring_bytes: self.ring_size,
            owners: self.owners,
            processes: self.processes,
            redaction: self.redact_args.into(),
            latency: Duration::from_millis(self.latency),
            dns: self.dns,
            ptr: self.ptr,
            kernel_log: self.kernel_log,
            format: self.format.into(),
            output: match self.output {
                // The usual name for standard output.
                Some(path) if path.as_os_str() == "-" => Destination::Stdout,
                Some(path) => Destination::File(path),
                None if sinks.take_events() => Destination::Nowhere,
                None => Destination::Stdout,
            },
            sinks,
            count: self.count,
            duration: self.duration,
            audit: Some(self.audit).filter(|interval| !interval.is_zero()),
            churn: Some(self.churn).filter(|window| !window.is_zero()),
            churn_pairs: self.churn_pairs,
            fail_on: self.fail_on,
            config: self.config,
            sandbox: self.sandbox.into(),
            user: self.user,
            command: self.command,
        })
    }
}

/// The first paragraph of clap's report, which names the argument, as one line.
fn sentence(report: &str) -> String {
    let paragraph = report.split("\n\nUsage:").next().unwrap_or(report);
    let paragraph = paragraph.split("\n\nFor more information").next().unwrap_or(paragraph);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let text = words.join(" ");
    format!("{} (see --help)", text.strip_prefix("error: ").unwrap_or(&text))
}
