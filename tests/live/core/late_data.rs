//! RSTs that softirq sends in the peer's context for data that came too late: the closer is to blame, not the peer.

use std::io::{Read, Write};
use std::net::TcpListener;

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::event::kernel_at_least;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::late;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::orderly;
use conn_observer_tests::pair::Family;
use conn_observer_tests::sock::{self, State};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            data_after_close_is_blamed_on_the_closer,
            data_after_the_close_of_a_half_closed_connection_is_blamed_on_the_closer,
            data_after_a_full_shutdown_is_blamed_on_who_shut_down,
            late_data_of_another_process_is_blamed_on_the_closer,
            data_for_a_timewait_socket_is_blamed_on_the_closer,
            resets_of_closed_ports_are_shown_only_when_asked_for,
            what_a_process_filter_withholds_is_counted,
        ]
    );
}

fn data_after_close_is_blamed_on_the_closer() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            let event = observer.expect("data_after_close", &late::after_close(family));
            assert!(event.at("tcp.closed_ms_ago").is_number(), "{event:?}");
        }
        assert_eq!(observer.events_before_fence(), [], "the peer's end has been reset and is empty");
    });
}

fn data_after_the_close_of_a_half_closed_connection_is_blamed_on_the_closer() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let event = observer.expect("data_after_close", &late::after_half_close_and_close(Family::V4));
        assert!(event.at("tcp.closed_ms_ago").is_number(), "{event:?}");
    });
}

/// SHUT_RDWR refuses data as a close does, with the socket still open.
fn data_after_a_full_shutdown_is_blamed_on_who_shut_down() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--pid", &std::process::id().to_string()]);
        let (act, _still_open) = late::after_shutdown(Family::V4);
        observer.expect("data_after_close", &act);
    });
}

/// The RST is sent while the sender's process runs; the filter and the event go by the closer's.
fn late_data_of_another_process_is_blamed_on_the_closer() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &["--pid", &actor.pid().to_string()]);
        let listener = TcpListener::bind(Family::V4.loopback()).unwrap();
        let act = actor.play_one(&format!("connect {}", listener.local_addr().unwrap().port()));
        let (mut server, _) = listener.accept().unwrap();
        actor.play("close");
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        server.write_all(b"too late").unwrap();
        sock::wait_state(&server, State::Close);
        observer.expect("data_after_close", &act);
    });
}

fn data_for_a_timewait_socket_is_blamed_on_the_closer() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let acts: Vec<Act> = Family::ALL.into_iter().map(late::after_timewait).collect();
        let events = observer.events_before_fence();
        if observer.declares_limit("timewait") {
            assert_eq!(events, []);
            assert!(!kernel_at_least(6, 10), "there the tracepoint tells it: {:?}", observer.started());
            return;
        }
        assert_eq!(events.len(), acts.len(), "{events:?}");
        for (event, act) in events.iter().zip(&acts) {
            event.assert_is("data_after_timewait", act);
        }
    });
}

fn resets_of_closed_ports_are_shown_only_when_asked_for() {
    Netns::run(|namespace| {
        let mut silent = Observer::within(namespace, &[]);
        let mut asked = Observer::within(namespace, &["--cause", "no_socket,close_unread"]);
        let mut actor = Actor::spawn();
        let port = orderly::connection_refused();
        let fence = actor.play_one(&format!("unread {}", abort::FENCE));
        assert_eq!(silent.events_before(&fence), []);
        let shown = asked.events_before(&fence);
        if asked.declares_limit("data_after_timewait") {
            assert_eq!(shown, []);
            assert!(!kernel_at_least(6, 10), "there the tracepoint tells it: {:?}", asked.started());
            return;
        }
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].cause(), "no_socket", "{shown:?}");
        if asked.declares_limit("have no addresses") {
            assert!(shown[0].at("network").is_null(), "{shown:?}");
        } else {
            assert_eq!(shown[0].local_port(), port, "{shown:?}");
        }
        assert!(shown[0].at("process").is_null(), "nobody is to blame: {shown:?}");
    });
}

fn what_a_process_filter_withholds_is_counted() {
    Netns::run(|namespace| {
        let pid = std::process::id().to_string();
        let observer = Observer::within(namespace, &["--pid", &pid, "--cause", "no_socket"]);
        orderly::connection_refused();
        let sees_it = !observer.declares_limit("data_after_timewait");
        let report = observer.stop();
        assert_eq!(report.events().count(), 0);
        assert_eq!(report.stopped().number("unattributed"), u64::from(sees_it), "{:?}", report.stopped());
        assert_eq!(report.total(namespace, "no_socket", "acts"), u64::from(sees_it));
        assert_eq!(report.total(namespace, "no_socket", "submitted"), 0);
    });
}
