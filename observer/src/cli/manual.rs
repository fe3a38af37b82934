//! What help and man page say beyond the options. Backticks mark what is typed as it stands.

use crate::cause::Cause;

/// One line, as indexes of man pages show it.
pub(super) const BRIEF: &str = "names who closed a TCP connection badly";

/// What the program does, in paragraphs.
pub(super) const DESCRIPTION: &[&str] = &[
    "Observes TCP through eBPF, as root or with CAP_BPF and CAP_PERFMON, and writes one JSON object a line: which process, \
     thread and stack closed a connection with unread data or made the kernel send RST, against which peer, and what was \
     lost.",
    "Without options it observes the whole host until it gets SIGINT or SIGTERM. All filters but `--severity` are \
     evaluated in the kernel.",
    "COMMAND runs as the observer's user. Its standard output goes to standard error, since standard output belongs to \
     the events, unless `--output` takes them.",
];

/// Exit statuses of an observer.
pub(super) const EXIT_STATUS: &[(&str, &str)] =
    &[("0", "fine"), ("1", "a cause of --fail-on was seen"), ("2", "it could not run")];

/// How a command changes them.
pub(super) const EXIT_STATUS_OF_COMMAND: &str = "With COMMAND: its own, unless --fail-on applies.";

/// Command lines, each with what it does.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("conn-observer --pid 4242", "One process, live."),
    ("conn-observer --format text --cause close_unread --port 443", "Sentences on bodies left unread, of one port."),
    (
        "conn-observer --fail-on close_unread -- ./integration-tests",
        "A check for CI: exits with 1 when the tests, or what they started, left data unread.",
    ),
];

/// Files that are read where they exist, each with what for.
pub(super) const FILES: &[(&str, &str)] = &[
    ("/sys/kernel/btf/vmlinux", "The kernel's types: where its fields are. Needed."),
    ("/proc", "Processes, their programs and memory maps, cgroups, the kernel's counters and functions."),
    ("/etc/conn-observer/config.toml", "The usual configuration file: only what `--config` names is read."),
    ("/etc/passwd", "Names of users."),
    ("/etc/hosts", "Names of peers: the process's own file where it is in a container."),
    ("/tmp/perf-PID.map", "Functions that a just-in-time compiler made, as perf has them: in the process's own /tmp."),
];

/// Pages to read next.
pub(super) const SEE_ALSO: &[&str] = &["ss(8)", "tcp(7)", "socket(7)", "capabilities(7)", "proc(5)"];

/// Causes that are reported only when they are named.
pub(super) const SILENT_CAUSES: &str =
    "Only when named: clean (or --all-closes), and no_socket for RSTs of closed ports.";

/// What follows the options in `--help`.
pub(super) fn after_help() -> String {
    let reported = Cause::ALL.iter().filter(|cause| !matches!(cause, Cause::Clean | Cause::NoSocket));
    let reported: Vec<&str> = reported.map(|cause| cause.name()).collect();
    let statuses: Vec<String> = EXIT_STATUS.iter().map(|(status, meaning)| format!("{status} {meaning}")).collect();
    let examples: String = EXAMPLES.iter().map(|(line, _)| format!("\n  {line}")).collect();
    format!(
        "Causes: {}; no_socket (late data long after a close; RSTs of closed ports only when named with --cause); only \
         when named: clean (or --all-closes).\n\nExit status: {}. {EXIT_STATUS_OF_COMMAND}\n\nExamples:{examples}",
        reported.join(", "),
        statuses.join("; "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_cause() {
        for cause in Cause::ALL {
            assert!(after_help().contains(cause.name()), "{cause}");
        }
    }
}
