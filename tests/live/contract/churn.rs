//! `--churn`: its windows, and what filters leave of them.

use std::time::{Duration, Instant};

use conn_observer_tests::actor::Actor;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::Family;
use conn_observer_tests::visit::{self, End};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract::churn",
        [PrivateNetns, Bpf],
        [
            whoever_goes_on_is_told_once_a_window,
            visits_on_both_sides_of_a_boundary_are_one_verdict,
            filters_apply_to_churn,
            severity_applies_to_churn_and_counts_what_it_hides,
            no_churn_is_told_when_none_is_wanted,
        ]
    );
}

/// Arguments of an observer whose window does not end before its run.
const ONE_WINDOW: [&str; 2] = ["--churn", "1h"];

const VISITS: u64 = 12;

fn whoever_goes_on_is_told_once_a_window() {
    // However a boundary cuts these, one part is ten or more.
    const MANY: u64 = 30;
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--churn", "2s"]);
        let listener = visit::listen(Family::V4);
        for _ in 0..2 {
            visit::make(&listener, End::ByClient, MANY);
            for _ in ["client", "server"] {
                let event = observer.next_of_kind("churn");
                assert!(event.number("window_ms") >= 2_000, "{event:?}");
            }
        }
        let report = observer.stop();
        let events = report.of_kind("churn");
        assert!(events.len() >= 4, "two ends in two windows: {events:?}");
        let sum: u64 = events.iter().map(|event| event.number("connections.closed")).sum();
        // Of what a boundary cuts off, fewer than ten are not told.
        assert!((4 * (MANY - 9)..=4 * MANY).contains(&sum), "a connection counts once: {events:?}");
    });
}

fn visits_on_both_sides_of_a_boundary_are_one_verdict() {
    const FEW: u64 = 6;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--churn", "4s"]);
        let start = Instant::now();
        let listener = visit::listen(Family::V4);
        visit::make(&listener, End::ByClient, FEW);
        // Half a window is what is tested here, it paces nothing.
        until("half a window to pass", || start.elapsed() > Duration::from_millis(2_000));
        visit::make(&listener, End::ByClient, FEW);
        let report = observer.stop();
        let events = report.of_kind("churn");
        assert_eq!(events.len(), 2, "the client's and the server's: {events:?}");
        for event in events {
            assert_eq!(["opened", "closed"].map(|name| event.number(&format!("connections.{name}"))), [2 * FEW; 2]);
            assert!(event.number("window_ms") >= 2_000, "{event:?}");
        }
    });
}

fn filters_apply_to_churn() {
    let other = Actor::spawn();
    Netns::run(|namespace| {
        let other = other.pid().to_string();
        let listener = visit::listen(Family::V4);
        let (us, own) = (std::process::id().to_string(), listener.local_addr().unwrap().port().to_string());
        let observe = |filter: &[&str]| Observer::within(namespace, &[&ONE_WINDOW[..], filter].concat());
        let silent = [["--pid", &other], ["--comm", "nobody"], ["--port", "1"], ["--peer", "10.0.0.0/8"]];
        let silent = silent.map(|filter| (filter, observe(&filter)));
        let told = observe(&["--pid", &us, "--port", &own, "--peer", "127.0.0.0/8"]);
        visit::make(&listener, End::ByClient, VISITS);
        visit::make(&visit::listen(Family::V4), End::Unread, VISITS);
        Netns::run(|_| visit::make(&visit::listen(Family::V4), End::ByClient, VISITS));
        for (filter, observer) in silent {
            assert_eq!(observer.stop().of_kind("churn"), Vec::<&Event>::new(), "{filter:?}");
        }
        assert_eq!(told.stop().of_kind("churn").len(), 2, "both ends of what goes through the listener");
    });
}

fn severity_applies_to_churn_and_counts_what_it_hides() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &[&ONE_WINDOW[..], &["--severity", "suspect"]].concat());
        visit::make(&visit::listen(Family::V4), End::ByClient, VISITS);
        let report = observer.stop();
        let events = report.of_kind("churn");
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((events[0].text("severity"), events[0].text("network.role")), ("suspect", "client"));
        let balance = report.stopped().at("churn");
        assert_eq!((&balance["told"], &balance["below_severity"]), (&1.into(), &1.into()), "{balance}");
        assert_eq!(report.stopped().at("below_severity"), 0, "of findings there was none");
    });
}

fn no_churn_is_told_when_none_is_wanted() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--churn", "0"]);
        visit::make(&visit::listen(Family::V4), End::ByClient, VISITS);
        let report = observer.stop();
        assert_eq!(report.of_kind("churn"), Vec::<&Event>::new());
        assert!(report.stopped().at("churn").is_null(), "{:?}", report.stopped());
    });
}
