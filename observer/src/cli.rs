//! The command line. The only module that knows clap.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use anyhow::{Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::{
    cause::Cause,
    doctor,
    options::{FilterSet, Format, Options},
    plan::PlanChoice,
    severity::Severity,
};

/// Names who closed a TCP connection badly: process, thread, stack, peer and bytes lost. One JSON object a line.
#[derive(Debug, Parser)]
#[command(name = "conn-observer", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
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
    #[arg(long, value_name = "NAME", help_heading = "Filters", value_parser = comm)]
    comm: Vec<String>,
    /// Observe processes of this user
    #[arg(long, value_name = "UID", help_heading = "Filters")]
    uid: Vec<u32>,
    /// Observe connections with this port at either end
    #[arg(long, value_name = "PORT", help_heading = "Filters")]
    port: Vec<u16>,
    /// Observe connections to this remote address or network
    #[arg(long, value_name = "CIDR", help_heading = "Filters", value_parser = network)]
    peer: Vec<IpNet>,
    /// Observe this network namespace (`stat -Lc %i /proc/PID/ns/net`)
    #[arg(long, value_name = "INODE", help_heading = "Filters")]
    netns: Vec<u32>,
    /// Report these causes only, separated by commas; see the list below
    #[arg(long, value_name = "CAUSE", value_delimiter = ',', help_heading = "Filters")]
    cause: Vec<Cause>,
    /// Report findings with at least so many unread bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true, help_heading = "Filters")]
    min_unread: u32,
    /// Report findings of this severity or worse: benign, suspect or harmful
    #[arg(long, value_name = "LEVEL", default_value_t, hide_default_value = true, help_heading = "Filters")]
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
    /// Stop after so many findings
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this time, e.g. 500ms, 10s, 2m, 1h
    #[arg(long, value_name = "TIME", help_heading = "Output", value_parser = duration)]
    duration: Option<Duration>,
    /// Compare the totals with the kernel's own counters this often, and at the end; 0 for never
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = "Output", value_parser = pause)]
    audit: Duration,
    /// Exit with 1 when one of these causes passed the filters
    #[arg(long, value_name = "CAUSE", value_delimiter = ',', help_heading = "Output")]
    fail_on: Vec<Cause>,
    /// Frames of the user stack to record, 0 to 64
    #[arg(long, value_name = "FRAMES", default_value_t = 32, help_heading = "Output",
          value_parser = clap::value_parser!(u32).range(0..=64))]
    stack_depth: u32,

    /// Kernel hooks: auto, fentry, kprobe or tracepoint
    #[arg(long, value_name = "PLAN", default_value_t, help_heading = "Kernel")]
    hooks: PlanChoice,
    /// Size of the buffer between kernel and observer in bytes, a power of two
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, help_heading = "Kernel", value_parser = ring_size)]
    ring_size: u32,
    /// Connections whose owners are remembered, for RSTs that come later
    #[arg(long, value_name = "N", default_value_t = 32_768, help_heading = "Kernel",
          value_parser = clap::value_parser!(u32).range(16..=16_777_216))]
    owners: u32,
    /// Longest time in milliseconds that a finding may wait in the kernel; 0 wakes the observer for each one
    #[arg(long, value_name = "MS", default_value_t = 100, help_heading = "Kernel")]
    latency: u64,
    /// Show diagnostics of the kernel side on standard error
    #[arg(long, help_heading = "Kernel")]
    kernel_log: bool,

    /// Run a command, observe its process tree from its first instruction, and end with its exit status. Its standard
    /// output goes to standard error unless --output takes the events
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Causes: close_unread, close_phantom, linger_zero, disconnect, linger2_timeout, listener_close, admin_kill, out_of_memory, \
data_after_close, data_after_timewait, keepalive_timeout, bad_segment, mptcp, reset_by_peer, connection_refused, \
unclassified; no_socket (late data long after a close; RSTs of closed ports only when named with --cause); only when named: \
clean (or --all-closes).\n\n\
Exit status: 0 fine; 1 a cause of --fail-on was seen; 2 it could not run. With COMMAND: its own, unless --fail-on \
applies.\n\nExamples:\n  conn-observer --pid 4242\n  conn-observer --format text --cause close_unread --port 443\n  \
conn-observer --fail-on close_unread -- ./integration-tests";

#[derive(Debug, Subcommand)]
enum Chore {
    /// Print the JSON Schema of the events
    Schema,
    /// Check what works on this machine, and make each cause that plain sockets can make, to see it come back
    ///
    /// Each check is ok, limited, failed or skipped, with what can be done about it. Exit status: 0 all that is needed
    /// works; 2 something does not.
    Doctor(DoctorArguments),
}

#[derive(Debug, Args)]
struct DoctorArguments {
    /// The hook plan that must work: auto, fentry, kprobe or tracepoint
    #[arg(long, value_name = "PLAN", default_value_t)]
    hooks: PlanChoice,
    /// Judge the BTF file of another kernel instead of this machine
    #[arg(long, value_name = "FILE", conflicts_with = "hooks")]
    btf: Option<PathBuf>,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

impl DoctorArguments {
    fn request(self, defaults: Options) -> doctor::Request {
        let format = match self.format {
            ReportFormat::Text => Format::Text,
            ReportFormat::Json => Format::Json,
        };
        doctor::Request { options: Options { hooks: self.hooks, format, ..defaults }, btf: self.btf }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum FormatName {
    /// One JSON object a line
    #[default]
    Json,
    /// One sentence a line
    Text,
}

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// Observe.
    Observe(Box<Options>),
    /// Print the JSON Schema.
    Schema,
    /// Check this machine.
    Doctor(Box<doctor::Request>),
}

impl Cli {
    /// Parses the process's arguments. `--help` and `--version` print and exit.
    ///
    /// # Errors
    /// One sentence for a wrong command line.
    pub fn from_arguments() -> Result<Self> {
        Self::try_parse().map_err(|error| {
            if !error.use_stderr() {
                error.exit();
            }
            anyhow!(sentence(&error.render().to_string()))
        })
    }

    /// What the command line asks for.
    ///
    /// # Errors
    /// When options contradict each other.
    pub fn task(mut self) -> Result<Task> {
        match self.chore.take() {
            Some(Chore::Schema) => return Ok(Task::Schema),
            // No option stands beside a sub-command, so what is left is what an observer does by default.
            Some(Chore::Doctor(arguments)) => {
                return self.options().map(|defaults| Task::Doctor(Box::new(arguments.request(defaults))));
            }
            None => {}
        }
        self.options().map(|options| Task::Observe(Box::new(options)))
    }

    /// The options of a run.
    fn options(self) -> Result<Options> {
        if self.children && self.pid.is_empty() && self.command.is_empty() {
            bail!("--children follows the processes of --pid or COMMAND: name one");
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
            stack_depth: self.stack_depth,
            ring_bytes: self.ring_size,
            owners: self.owners,
            latency: Duration::from_millis(self.latency),
            kernel_log: self.kernel_log,
            format: match self.format {
                FormatName::Json => Format::Json,
                FormatName::Text => Format::Text,
            },
            // The usual name for standard output.
            output: self.output.filter(|path| path.as_os_str() != "-"),
            count: self.count,
            duration: self.duration,
            audit: Some(self.audit).filter(|interval| !interval.is_zero()),
            fail_on: self.fail_on,
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

fn comm(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a name is expected".to_owned()) } else { Ok(text.to_owned()) }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse()
        .ok()
        .or_else(address)
        .ok_or_else(|| "expected an address or network as 10.0.0.0/8 or 2001:db8::/32".to_owned())
}

/// `500ms`, `10s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a number and a unit: 500ms, 10s, 2m, 1h".to_owned()),
    };
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    milliseconds.map(Duration::from_millis).ok_or_else(|| "expected a number before the unit".to_owned())
}

/// A duration, or 0 for none.
fn pause(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { duration(text) }
}

/// What the kernel takes for a ring buffer: a power of two of at least a page.
fn ring_size(text: &str) -> Result<u32, String> {
    let size = text.parse::<u32>().ok().filter(|size| size.is_power_of_two() && (4_096..=1 << 30).contains(size));
    size.ok_or_else(|| "expected a power of two from 4096 to 1073741824".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_one_sentence() {
        let error = Cli::try_parse_from(["conn-observer", "--peer", "10.0.0.0/33"]).unwrap_err();
        let text = sentence(&error.render().to_string());
        assert!(text.starts_with("invalid value '10.0.0.0/33' for '--peer <CIDR>': expected an address"), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("10").is_err());
        assert!(duration("s").is_err());
        assert!(duration("99999999999999999999h").is_err());
    }

    #[test]
    fn audits_can_be_turned_off() {
        let audit = |arguments: &[&str]| {
            let task = Cli::try_parse_from([&["conn-observer"], arguments].concat()).unwrap().task();
            let Ok(Task::Observe(options)) = task else { panic!("not to observe") };
            options.audit
        };
        assert_eq!(audit(&[]), Some(Duration::from_secs(60)));
        assert_eq!(audit(&["--audit", "500ms"]), Some(Duration::from_millis(500)));
        assert_eq!(audit(&["--audit", "0"]), None);
        assert!(Cli::try_parse_from(["conn-observer", "--audit", "10"]).is_err());
    }

    #[test]
    fn a_peer_may_be_an_address_or_a_network() {
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("2001:db8::/32").unwrap().prefix_len(), 32);
        assert!(network("10.1.2.3/33").is_err());
    }

    #[test]
    fn ring_sizes_are_powers_of_two() {
        assert_eq!(ring_size("4096"), Ok(4_096));
        for bad in ["4095", "0", "6000", "-1", "8589934592"] {
            assert!(ring_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_help_lists_every_cause() {
        for cause in Cause::ALL {
            assert!(AFTER_HELP.contains(cause.name()), "{cause}");
        }
    }

    #[test]
    fn fail_on_is_refused_where_filters_hide_the_cause() {
        let task = |arguments: &[&str]| Cli::try_parse_from([&["conn-observer"], arguments].concat()).unwrap().task();
        assert!(task(&["--fail-on", "close_unread", "--cause", "linger_zero"]).is_err());
        assert!(task(&["--fail-on", "clean"]).is_err());
        assert!(task(&["--fail-on", "no_socket"]).is_ok());
        assert!(task(&["--fail-on", "clean", "--all-closes"]).is_ok());
        assert!(task(&["--fail-on", "close_unread,linger_zero"]).is_ok());
    }

    #[test]
    fn a_dash_is_standard_output() {
        let task = Cli::try_parse_from(["conn-observer", "--output", "-"]).unwrap().task();
        let Ok(Task::Observe(options)) = task else { panic!("not to observe") };
        assert_eq!(options.output, None);
    }

    #[test]
    fn the_doctor_examines_what_an_observer_does_by_default() {
        let task = |words: &[&str]| Cli::try_parse_from(words).unwrap().task();
        let Ok(Task::Observe(usual)) = task(&["conn-observer"]) else { panic!("not to observe") };
        let Ok(Task::Doctor(request)) = task(&["conn-observer", "doctor", "--hooks", "kprobe"]) else {
            panic!("no doctor")
        };
        assert_eq!((request.options.ring_bytes, request.options.stack_depth), (usual.ring_bytes, usual.stack_depth));
        assert_eq!((request.options.hooks.to_string().as_str(), request.options.format), ("kprobe", Format::Text));
    }

    #[test]
    fn children_need_somebody_to_follow() {
        let cli = Cli::try_parse_from(["conn-observer", "--children"]).unwrap();
        assert!(cli.task().is_err());
    }
}
