//! Observing on and on without privileges: two minutes in every run, ten with `CONN_OBSERVER_SOAK=1`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conn_observer_tests::daemon::Daemon;
use conn_observer_tests::feature::Feature::{Bpf, Landlock, Netns as PrivateNetns, Root};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::{http, soak, status};

use crate::suite::{Suite, add};

/// `nobody` in Debian's `/etc/passwd`.
const NOBODY: u32 = 65_534;

/// Closes at a time.
const BURST: usize = 200;

/// What the second half may need beyond the first one: fifty bytes for each of its closes would be as much.
const GROWTH: u64 = 6 << 20;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "faults",
        [PrivateNetns, Bpf, Root, Landlock],
        [observing_on_and_on_takes_no_more_memory_and_no_more_rights]
    );
}

fn observing_on_and_on_takes_no_more_memory_and_no_more_rights() {
    Netns::run(|namespace| {
        let folder = Folder::new("long");
        std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let before = namespace.counters();
        // Several windows of churn are judged in each half.
        let arguments = ["--sandbox", "strict", "--user", "nobody", "--sink", "prometheus", "--churn", "10s"];
        let mut daemon = Daemon::within(namespace, folder, ",max-size=8MiB,keep=2,compress=zstd", &arguments);
        daemon.burst(BURST);
        let rights = rights(&daemon);
        let half = Duration::from_secs(soak::pick(60, 300));
        let [first, second] = [(); 2].map(|()| most_memory(&mut daemon, half));
        assert!(second <= first + GROWTH, "it grew from {first} to {second} bytes");
        assert_eq!(self::rights(&daemon), rights, "of each thread");
        let closes = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let told = daemon.stop();
        println!("{closes} closes; at most {first}, then {second} bytes resident");
        assert_eq!((told.count("close_unread"), told.stopped.number("lost")), (closes, 0), "{:?}", told.stopped);
        for sink in ["file:", "prometheus:"] {
            let balance = told.stopped.sink(sink);
            assert_eq!((&balance["lost"], &balance["retries"]), (&0.into(), &0.into()), "{balance}");
        }
        // Sockets that were forgotten, and runs that were missed, may be other tests': the hooks are the whole machine's.
        for counter in ["malformed", "unknown_processes"] {
            assert_eq!(told.stopped.number(counter), 0, "{counter} in {:?}", told.stopped);
        }
        assert!(told.losses.is_empty() && told.stderr.is_empty(), "{:?} {}", told.losses, told.stderr);
    });
}

/// Most memory that it has while it observes for so long, and is asked for metrics.
fn most_memory(daemon: &mut Daemon, time: Duration) -> u64 {
    let begun = Instant::now();
    status::peak_during(daemon.pid(), || {
        while begun.elapsed() < time {
            daemon.burst(BURST);
            let (status, text) = http::get(SocketAddr::from(([127, 0, 0, 1], 10_046)), "/metrics").unwrap();
            assert!(status == 200 && text.contains("conn_observer_received_total"), "{status} {text}");
        }
    })
}

/// User, groups, capabilities and filters of each thread, by its name.
fn rights(daemon: &Daemon) -> Vec<Vec<(String, String)>> {
    const NAMES: [&str; 11] =
        ["Name", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"];
    let threads = status::of_threads(daemon.pid()).into_iter();
    // The one that compresses comes and goes.
    let threads = threads.filter(|status| status["Name"] != "tidy");
    let mut rights: Vec<Vec<_>> =
        threads.map(|status| NAMES.map(|name| (name.to_owned(), status[name].clone())).to_vec()).collect();
    rights.sort();
    assert!(rights.iter().all(|one| one.contains(&("NoNewPrivs".to_owned(), "1".to_owned()))), "{rights:?}");
    rights
}
