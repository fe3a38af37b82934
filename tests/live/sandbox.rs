//! The observer after it has given up its privileges: what the kernel says of each of its threads, and that it still
//! tells everything.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::actor::{Actor, script};
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{
    Bpf, Cgroup, Etc as PrivateEtc, Landlock, Netns as PrivateNetns, Root, Veth,
};
use conn_observer_tests::nameserver::NameServer;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::Family;
use conn_observer_tests::visit::{self, End};
use conn_observer_tests::{run, status};
use rustix::process::Signal;

use crate::core::names;
use crate::suite::{Suite, add};

/// `nobody` in Debian's `/etc/passwd`.
const NOBODY: &str = "65534";

/// Number of a capability (`linux/capability.h`).
const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYSLOG: u32 = 34;
const CAP_CHECKPOINT_RESTORE: u32 = 40;

/// The strictest run.
const STRICT: [&str; 4] = ["--sandbox", "strict", "--user", "nobody"];

pub(crate) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "sandbox",
        [PrivateNetns, Bpf, Root, Landlock],
        [
            every_thread_has_given_up_all_but_what_it_uses,
            the_output_file_is_written_without_privileges,
            files_of_sinks_belong_to_the_user_and_are_rotated,
            a_folder_that_the_user_cannot_write_is_refused_at_the_start,
            a_process_of_another_user_is_told_in_full,
            audits_and_churn_are_told_without_privileges,
            command_keeps_its_privileges_and_gets_signals,
        ]
    );
    add!(
        suite,
        "sandbox",
        [PrivateNetns, Bpf, Root, Landlock, PrivateEtc, Veth],
        [the_resolver_is_asked_without_privileges]
    );
    add!(
        suite,
        "sandbox",
        [PrivateNetns, Bpf, Root, Landlock, PrivateEtc, Cgroup],
        [dns_and_hosts_files_name_peers_without_privileges]
    );
    add!(suite, "sandbox", [PrivateNetns, Bpf], [nothing_is_given_up_when_that_is_asked_for]);
    add!(suite, "sandbox", [], [a_user_that_is_not_there_is_refused]);
}

/// Starts an observer of a namespace in the strictest way.
fn strict(namespace: &Netns, more: &[&str]) -> Observer {
    Observer::within(namespace, &[&STRICT, more].concat())
}

fn mask(capabilities: &[u32]) -> String {
    format!("{:016x}", capabilities.iter().fold(0_u64, |mask, number| mask | 1 << number))
}

fn every_thread_has_given_up_all_but_what_it_uses() {
    let usual = [CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE];
    let kernel = [CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYSLOG, CAP_CHECKPOINT_RESTORE];
    let (none, fewest) = ([CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE], ["--stack", "none"]);
    let rows: [(&[&str], &[u32]); 3] = [(&["--ptr"], &usual), (&["--stack", "both"], &kernel), (&fewest, &none)];
    for (arguments, capabilities) in rows {
        Netns::run(|namespace| {
            let mut observer = strict(namespace, arguments);
            // Every thread runs by now.
            observer.expect("close_unread", &abort::fence());
            let pid = observer.pid();
            let mut threads = Vec::new();
            for status in status::of_threads(pid) {
                let field = |name: &str| status[name].split_whitespace().collect::<Vec<_>>().join(" ");
                let outside = ["output", "ptr"].contains(&field("Name").as_str());
                let kept = if outside { mask(&[]) } else { mask(capabilities) };
                for (set, expected) in [
                    ("CapEff", &kept),
                    ("CapPrm", &kept),
                    ("CapInh", &mask(&[])),
                    ("CapBnd", &mask(&[])),
                    ("CapAmb", &mask(&[])),
                ] {
                    assert_eq!(&field(set), expected, "{set} of {status:#?}");
                }
                let ids = [NOBODY; 4].join(" ");
                assert_eq!(
                    (field("Uid"), field("Gid"), field("Groups")),
                    (ids.clone(), ids, String::new()),
                    "{status:#?}"
                );
                assert_eq!((field("NoNewPrivs"), field("Seccomp")), ("1".to_owned(), "2".to_owned()), "{status:#?}");
                threads.push(field("Name"));
            }
            threads.sort();
            let started = observer.started();
            let ptr = arguments.contains(&"--ptr");
            assert_eq!(threads.contains(&"ptr".to_owned()), ptr, "{threads:?}");
            for name in ["attribute", "names", "output", "symbols"] {
                assert!(threads.iter().any(|thread| thread == name), "no {name} in {threads:?}");
            }
            assert_eq!(started.text("sandbox.mode"), "strict");
            assert_eq!(
                (started.number("sandbox.user.id").to_string().as_str(), started.text("sandbox.user.name")),
                (NOBODY, "nobody")
            );
            assert_eq!(started.at("sandbox.capabilities").as_array().unwrap().len(), capabilities.len(), "{started:?}");
            for flag in ["no_new_privs", "seccomp", "landlock.complete"] {
                assert_eq!(started.at(&format!("sandbox.{flag}")), true, "{started:?}");
            }
            assert!(started.at("sandbox.refused").is_null(), "{started:?}");
        });
    }
}

fn the_output_file_is_written_without_privileges() {
    Netns::run(|namespace| {
        let path = std::env::temp_dir().join(format!("conn-observer-sandbox-{}", std::process::id()));
        // It is root's, and was opened by root.
        fs::write(&path, "old").unwrap();
        let inode = namespace.inode().to_string();
        let arguments = [&STRICT[..], &["--netns", &inode, "--output", path.to_str().unwrap()]].concat();
        let outcome = run::observe(&arguments, &script("unread 100 then say hello"));
        let events = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), "hello\n", ""));
        assert!(events.starts_with("{") && events.contains("\"cause\":\"close_unread\""), "{events}");
    });
}

/// A folder of that user, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn of(user: u32, name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("conn-observer-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(user), Some(user)).unwrap();
        Self(path)
    }

    fn sink(&self) -> String {
        format!("file,path={}/events.ndjson,max-size=16KiB,compress=zstd,fsync=never", self.0.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files_of_sinks_belong_to_the_user_and_are_rotated() {
    Netns::run(|namespace| {
        let user = NOBODY.parse().unwrap();
        let folder = Folder::of(user, "sink");
        let sink = folder.sink();
        let observer = strict(namespace, &["--output", "-", "--sink", &sink]);
        let mut actor = Actor::spawn();
        let files = || -> Vec<(String, u32)> {
            let entries = fs::read_dir(&folder.0).unwrap().flatten();
            entries
                .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.uid())))
                .collect()
        };
        actor.play("unread-many 60");
        until("a rotated file to be compressed", || files().iter().any(|(name, _)| name.ends_with(".zst")));
        let report = observer.stop();
        assert!(files().iter().all(|(_, owner)| *owner == user), "{:?}", files());
        let file = report.stopped().sink("file:");
        assert_eq!((&file["lost"], &file["retries"]), (&0.into(), &0.into()), "{file}");
    });
}

fn a_folder_that_the_user_cannot_write_is_refused_at_the_start() {
    let folder = Folder::of(0, "closed-sink");
    let refused = run::observer_alone(&[&STRICT[..], &["--sink", &folder.sink()]].concat());
    refused.assert_refused(&[folder.0.to_str().unwrap(), "permission"]);
}

fn a_process_of_another_user_is_told_in_full() {
    Netns::run(|namespace| {
        let mut observer = strict(namespace, &["--symbol-budget", "10s"]);
        let executable = fs::canonicalize(std::env::current_exe().unwrap()).unwrap();
        for user in [0, 1_234] {
            let mut actor = Actor::spawn();
            if user != 0 {
                actor.play(&format!("uid {user}"));
            }
            let event = observer.expect("close_unread", &actor.play_one("unread 100"));
            assert_eq!(event.number("process.user.id"), user, "{event:?}");
            assert_eq!(event.text("process.executable.path"), executable.to_str().unwrap(), "{event:?}");
            assert_eq!(event.at("process.command_args")[1], "--act", "{event:?}");
            assert_eq!(event.text("process.runtime.name"), "rust", "{event:?}");
            assert!(!event.at("process.parents").as_array().unwrap().is_empty(), "{event:?}");
            assert!(event.at("stack.user").to_string().contains("conn_observer_tests::abort::unread"), "{event:?}");
        }
    });
}

fn audits_and_churn_are_told_without_privileges() {
    Netns::run(|namespace| {
        let observer = strict(namespace, &["--audit", "200ms"]);
        let before = namespace.counters();
        let mut actor = Actor::spawn();
        actor.play("unread-many 50");
        let acts: Vec<Act> = (0..50).map(|_| abort::fence()).collect();
        assert_eq!(namespace.counters().since(&before).tcp_ext("TCPAbortOnClose"), 100);
        visit::make(&visit::listen(Family::V4), End::ByClient, 30);
        let report = observer.stop();
        assert_eq!(report.count("close_unread"), 100);
        assert_eq!(report.events().filter(|event| acts.iter().any(|act| event.is_at(act))).count(), acts.len());
        let audits = report.of_kind("audit");
        let ours: Vec<_> = audits.iter().filter(|audit| audit.at("namespace") == namespace.inode()).collect();
        let last = ours.last().expect("an audit");
        assert_eq!((last.number("residual"), last.at("unreadable").is_null()), (0, true), "{last:?}");
        let counter =
            last.at("counters").as_array().unwrap().iter().find(|row| row["counter"] == "TCPAbortOnClose").unwrap();
        assert_eq!((&counter["seen"], &counter["kernel"]), (&100.into(), &100.into()), "{last:?}");
        assert!(!report.of_kind("churn").is_empty(), "{:?}", report.stopped());
        assert_eq!(report.stopped().number("unknown_processes"), 0, "{:?}", report.stopped());
    });
}

fn the_resolver_is_asked_without_privileges() {
    Netns::run(|namespace| names::assert_reverse_lookup(namespace, &STRICT));
}

fn dns_and_hosts_files_name_peers_without_privileges() {
    /// An address that no DNS answer has.
    const NAMED_BY_FILE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
    Netns::run(|namespace| {
        let etc = names::place(namespace);
        namespace.add_ipv4(NAMED_BY_FILE);
        let _server = NameServer::start(names::SERVER, names::ZONE);
        let mut observer = names::observer_with(namespace, &STRICT);
        let (mut actor, listener) = (Actor::spawn(), names::listen(names::PEER));
        let event = names::closes(&mut observer, &mut actor, "api.example", &listener);
        names::assert_named(&event, "api.example", "dns");
        // As only the processes of this mount namespace see it.
        etc.set("hosts", &format!("127.0.0.1 localhost\n{NAMED_BY_FILE} container.example\n"));
        let listener = names::listen(NAMED_BY_FILE);
        let expected = ("container.example", "hosts");
        names::assert_named_at_last(&mut observer, &mut actor, NAMED_BY_FILE, &listener, expected);
    });
}

fn command_keeps_its_privileges_and_gets_signals() {
    Netns::run(|_| {
        let shell = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u";
        let arguments = [&STRICT[..], &["--", "sh", "-c", shell]].concat();
        let outcome = run::observer(&arguments);
        let own = status::of_process(std::process::id());
        let expected = format!("CapEff:\t{}\nNoNewPrivs:\t0\nSeccomp:\t0\n0\n", own["CapEff"]);
        // Standard output belongs to the events.
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), expected.as_str()));
        let shell = "trap 'exit 7' TERM; echo trapped; while :; do sleep 0.02; done";
        let mut observer = Observer::start(&[&STRICT[..], &["--", "sh", "-c", shell]].concat());
        observer.wait_to_hear("trapped");
        // `kill()` of a process of another user takes CAP_KILL; it decides when it ends.
        observer.signal(Signal::TERM);
        assert_eq!(observer.wait(), Some(7));
    });
}

fn nothing_is_given_up_when_that_is_asked_for() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--sandbox", "off"]);
        let own = status::of_process(std::process::id());
        let its = status::of_process(observer.pid());
        for name in ["Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"] {
            assert_eq!(its[name], own[name], "{name}");
        }
        assert_eq!(observer.started().text("sandbox.mode"), "off");
        assert_eq!(observer.started().at("sandbox.seccomp"), false);
    });
}

fn a_user_that_is_not_there_is_refused() {
    run::observer_alone(&["--user", "no-such-user-here"]).assert_refused(&["no-such-user-here"]);
    run::observer_alone(&["--user", "nobody", "--sandbox", "off"]).assert_refused(&["--sandbox off"]);
}
