//! An observer that stands still for seconds, under load: what the ring has no room for is lost and said to be, and
//! nothing else.

use std::time::{Duration, Instant};

use conn_observer_tests::abort;
use conn_observer_tests::daemon::Daemon;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::soak;
use rustix::process::Signal;

use crate::suite::{Suite, add};

/// Closes for which the ring of 4 MiB has no room, at two records each, of 150 bytes at least.
const TOO_MANY: u64 = 15_000;

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "faults", [PrivateNetns, Bpf], [what_a_stopped_observer_misses_is_counted_to_the_last_one]);
}

fn what_a_stopped_observer_misses_is_counted_to_the_last_one() {
    Netns::run(|namespace| {
        let before = namespace.counters();
        let mut daemon = Daemon::within(namespace, Folder::new("stopped"), "", &["--audit", "200ms"]);
        daemon.burst(100);
        let pause = Duration::from_secs(soak::pick(3, 10));
        daemon.signal(Signal::STOP);
        let (begun, mut made) = (Instant::now(), 0);
        while begun.elapsed() < pause || made < TOO_MANY {
            abort::fence();
            made += 1;
        }
        daemon.signal(Signal::CONT);
        daemon.resume();
        daemon.burst(100);
        let closes = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let told = daemon.stop();
        let stopped = &told.stopped;
        let of_closes = |field: &str| -> u64 {
            let rows = stopped.at("totals").as_array().unwrap().iter();
            let rows = rows.filter(|row| row["namespace"] == namespace.inode() && row["cause"] == "close_unread");
            rows.map(|row| row[field].as_u64().unwrap()).sum()
        };
        assert!(of_closes("lost") > 0, "{stopped:?}");
        assert_eq!((of_closes("acts"), of_closes("submitted")), (closes, closes), "{stopped:?}");
        assert_eq!(told.count("close_unread") + of_closes("lost"), closes, "{stopped:?}");
        let [submitted, received, lost] = ["submitted", "received", "lost"].map(|name| stopped.number(name));
        assert_eq!(submitted, received + lost, "{stopped:?}");
        assert!(told.losses.iter().all(|loss| loss.text("where") == "ring"), "{:?}", told.losses);
        assert_eq!(told.losses.iter().map(|loss| loss.number("lost")).sum::<u64>(), lost, "{stopped:?}");
        let filed = stopped.sink("file:");
        assert_eq!((&filed["lost"], &filed["retries"]), (&0.into(), &0.into()), "{filed}");
        let audit = told.audits.iter().rfind(|audit| audit.at("namespace") == namespace.inode()).expect("an audit");
        assert_eq!((audit.number("residual"), audit.at("unreadable").is_null()), (0, true), "{audit:?}");
    });
}
