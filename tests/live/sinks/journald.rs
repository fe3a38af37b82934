//! systemd's own journal, in a `/run` of its own, read back by journalctl.

use std::path::{Path, PathBuf};
use std::process::Command;

use conn_observer_tests::abort;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Etc as PrivateMounts, Netns as PrivateNetns, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::peer::Peer;
use conn_observer_tests::run::run;
use serde_json::Value;

use crate::suite::{Suite, add};

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "sinks",
        [PrivateNetns, PrivateMounts, Bpf, Tool(JOURNALD), Tool("journalctl"), Tool("unshare")],
        [journalctl_gives_the_events_back_by_their_fields]
    );
}

fn journalctl_gives_the_events_back_by_their_fields() {
    Netns::run(|namespace| {
        let journal = Journal::start();
        let sink = format!("journald,socket={}", journal.place("run/systemd/journal/socket").display());
        // In the sandbox no sink gets into the mounts of another process, and this journal has mounts of its own.
        let arguments = ["--sandbox", "off", "--output", "-", "--sink", &sink];
        let mut observer = Observer::within(namespace, &arguments);
        let act = abort::unread(Family::V4, Side::Client, 4_022);
        observer.expect("close_unread", &act);
        let pid = observer.pid();
        let report = observer.stop();
        let entries = journal.entries("SYSLOG_IDENTIFIER=conn-observer", report.lines().len());
        for (entry, event) in entries.iter().zip(report.lines()) {
            let text = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("no text {name} in {entry}"));
            assert_eq!(Event::parse(text("CONN_OBSERVER_EVENT")), *event);
            assert_eq!(text("MESSAGE"), event.text("message"));
            assert_eq!(text("CONN_OBSERVER_TYPE"), event.kind());
            assert_eq!(text("_PID"), pid.to_string(), "the journal knows the sender");
            let urgency = match (event.kind(), event.text("severity")) {
                ("started" | "reloaded" | "stopped", _) => "5",
                (_, "harmful") => "3",
                (_, "suspect") => "4",
                _ => "6",
            };
            assert_eq!(text("PRIORITY"), urgency, "{event:?}");
        }
        let close = &journal.entries("CONN_OBSERVER_CAUSE=close_unread", 1)[0];
        assert_eq!(close["CONN_OBSERVER_SEVERITY"], "harmful");
        assert_eq!(close["CONN_OBSERVER_PEER"], act.peer.to_string());
        assert_eq!(close["OBJECT_PID"], act.pid.to_string());
        let own = std::env::current_exe().unwrap();
        assert_eq!(close["OBJECT_EXE"], own.to_str().unwrap(), "from root, the journal adds what it knows: {close}");
        assert_eq!(journal.entries("MESSAGE_ID=2131d21fdd714383923e3c85aca9adc1", 1)[0], *close);
    });
}

/// A running journal.
struct Journal(Peer);

impl Journal {
    fn start() -> Self {
        // Neither the audit nor the log of the kernel is the test's.
        let script = format!(
            "set -e
             mount -t tmpfs tmpfs /run
             mount --bind /dev/null /dev/kmsg
             mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
             echo '[Journal]
             Storage=volatile
             Audit=no
             ReadKMsg=no
             ForwardToWall=no
             RateLimitIntervalSec=0' > /run/systemd/journald.conf.d/test.conf
             exec {JOURNALD}"
        );
        let mut command = Command::new(tool("unshare").expect("unshare"));
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let journal = Self(Peer::spawn(command));
        until("the journal to listen", || journal.place("run/systemd/journal/socket").exists());
        journal
    }

    /// A file as the journal sees it.
    fn place(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.0.pid().to_string()).join("root").join(path)
    }

    /// So many entries that match, in their order.
    #[track_caller]
    fn entries(&self, matching: &str, count: usize) -> Vec<Value> {
        let mut found = Vec::new();
        until(&format!("{count} entries with {matching}"), || {
            let mut command = Command::new(tool("journalctl").expect("journalctl"));
            command.arg("-D").arg(self.place("run/log/journal"));
            // Without `--all` long fields are left out.
            command.args(["--all", "--output=json", "--quiet", "--no-pager", matching]);
            let outcome = run(command);
            found = outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            found.len() >= count
        });
        assert_eq!(found.len(), count, "entries with {matching}");
        found
    }
}
