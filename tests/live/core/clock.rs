//! A step of the machine's clock: the times of events follow it, and nothing else does.

use std::fs;
use std::net::TcpListener;

use conn_observer_tests::abort;
use conn_observer_tests::deadline::{DEADLINE, until};
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, OwnMachine};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::tail;
use conn_observer_tests::wallclock::{WallClock, now_seconds, seconds};

use crate::suite::{Suite, add};

/// An hour each way is more than anything here waits for.
const HOUR: i64 = 3_600;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::once::clock",
        [PrivateNetns, Bpf, OwnMachine],
        [times_of_events_follow_a_step_of_the_clock_and_nothing_else_does]
    );
}

fn times_of_events_follow_a_step_of_the_clock_and_nothing_else_does() {
    Netns::run(|namespace| {
        let folder = Folder::new("clock");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // None of these is over within the test: a file's age, an audit's interval, a window, the run.
        let file = format!("file,path={}/events.ndjson,max-age=30m", folder.path().display());
        // Nobody is there yet.
        let syslog = format!("syslog,address=tcp:127.0.0.1:{port}");
        let waits = ["--audit", "30m", "--churn", "30m", "--duration", "30m", "--cause", "close_unread"];
        let arguments = [&waits[..], &["--output", "-", "--sink", &file, "--sink", &syslog]].concat();
        let mut observer = Observer::within(namespace, &arguments);
        let clock = WallClock::keep();
        let mut ageless = 0;
        for step in [HOUR, -HOUR, 0] {
            let pair = Pair::connect(Family::V4);
            assert_is_timely(&observer.expect("close_unread", &abort::fence()));
            clock.set(step);
            // The clocks are read again within a second.
            until("the times of events to follow", || is_timely(&observer.expect("close_unread", &abort::fence())));
            let event = observer.expect("close_unread", &abort::unread_on(pair, Side::Client, 3));
            match event.at("tcp.duration_ms").as_f64() {
                Some(lived) => assert!(lived < DEADLINE.as_millis() as f64, "{event:?}"),
                None => ageless += 1,
            }
        }
        // It is tried again as if nothing had been, from the pause on that it was in.
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut found = None;
        until("the receiver to be found", || {
            found = listener.accept().ok();
            found.is_some()
        });
        let report = observer.stop();
        assert_eq!(report.stopped().text("reason"), "signal");
        // The kernel skips a program that the same processor runs already: now and then a birth is not seen.
        assert!(ageless < 3 && ageless <= report.stopped().number("missed"), "{ageless}: {:?}", report.stopped());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["events.ndjson"], "not rotated");
        assert!(tail::all(&folder.path().join("events.ndjson")) == report.lines(), "nothing is lost");
        let audits = report.of_kind("audit");
        assert!(audits.iter().all(|audit| audit.number("residual") == 0), "{audits:?}");
    });
}

/// Its time is that of the clock as it is now, give or take how long it is under way.
fn is_timely(event: &Event) -> bool {
    let age = now_seconds() - seconds(event.text("time"));
    (-1..=DEADLINE.as_secs() as i64).contains(&age)
}

#[track_caller]
fn assert_is_timely(event: &Event) {
    assert!(is_timely(event), "{event:?} at {}", now_seconds());
}
