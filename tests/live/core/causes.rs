//! The other causes that a process makes by its own call.

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::orderly;
use conn_observer_tests::pair::{Family, Side};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            linger_zero_is_told_from_unread_data,
            a_disconnect_is_a_reset_without_a_close,
            a_negative_linger2_is_a_cause_of_its_own,
            a_connection_that_dies_with_its_listener_is_not_lost,
            clean_closes_are_shown_on_request,
        ]
    );
}

fn linger_zero_is_told_from_unread_data() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            for side in Side::ALL {
                let event = observer.expect("linger_zero", &abort::linger_zero(family, side));
                assert_eq!(event.at("tcp.reset_sent"), true, "{event:?}");
            }
        }
        assert_eq!(observer.events_before_fence(), []);
    });
}

fn a_disconnect_is_a_reset_without_a_close() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            observer.expect("disconnect", &abort::disconnect(family));
        }
        assert_eq!(observer.events_before_fence(), [], "the close that follows has nothing to reset");
    });
}

fn a_negative_linger2_is_a_cause_of_its_own() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            let event = observer.expect("linger2_timeout", &abort::linger2(family));
            assert_eq!(event.text("tcp.state"), "FIN_WAIT2", "{event:?}");
        }
        assert_eq!(observer.events_before_fence(), []);
    });
}

/// The later issue names this cause in full; here it must appear as a RST sent by the closer of the listener.
fn a_connection_that_dies_with_its_listener_is_not_lost() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let act = abort::listener_with_waiting_connection();
        let event = observer.next_event();
        assert_eq!(event.kind(), "reset_sent", "{event:?}");
        assert!(["listener_close", "unclassified"].contains(&event.cause()), "{event:?}");
        assert!(event.is_at(&act), "{event:?}\nexpected {act:?}");
        assert_eq!(event.number("process.pid"), u64::from(act.pid));
        assert_eq!(observer.events_before_fence(), []);
    });
}

fn clean_closes_are_shown_on_request() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--all-closes"]);
        for first in Side::ALL {
            for act in orderly::close(Family::V4, first) {
                assert_shown_as_clean(&mut observer, &act);
            }
        }
        assert_shown_as_clean(&mut observer, &orderly::eof_not_read(Family::V6));
        let half_closed = [orderly::close_after_half_close(), orderly::close_after_the_end()];
        let before_fence = observer.events_before_fence();
        for act in half_closed {
            let shown = before_fence.iter().filter(|event| event.is_at(&act)).count();
            assert_eq!(shown, 1, "{act:?} in {before_fence:?}");
        }
    });
}

/// Other sockets of the act, its listener for one, may be shown before it.
fn assert_shown_as_clean(observer: &mut Observer, act: &Act) {
    let events = observer.events_until(|event| event.is_at(act));
    let event = events.last().unwrap();
    event.assert_is("clean", act);
    assert_ne!(event.at("tcp.reset_sent"), true, "{event:?}");
}
