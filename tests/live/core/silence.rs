//! What is no finding. Each act is followed by a fence: everything before the fence's event is all there was.

use conn_observer_tests::abort;
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
            orderly_closes_in_both_orders_are_no_finding,
            an_eof_that_nobody_read_is_no_finding,
            closing_a_listener_is_no_finding,
            shutdown_then_close_is_no_finding,
            closing_a_half_closed_connection_is_no_finding,
            a_refused_connection_is_no_finding,
            an_empty_socket_that_the_peer_reset_is_no_finding,
        ]
    );
}

fn nothing_is_said_about<T>(act: impl FnOnce() -> T + Send) {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        act();
        assert_eq!(observer.events_before_fence(), []);
        let report = observer.stop();
        assert_eq!(report.events().count(), 1, "the fence only");
        for cause in ["close_unread", "linger_zero", "disconnect", "linger2_timeout", "unclassified"] {
            let expected = u64::from(cause == "close_unread");
            assert_eq!(report.total(namespace, cause, "acts"), expected, "{cause}: {:?}", report.stopped());
        }
    });
}

fn orderly_closes_in_both_orders_are_no_finding() {
    nothing_is_said_about(|| {
        for family in Family::ALL {
            for first in Side::ALL {
                orderly::close(family, first);
            }
        }
    });
}

fn an_eof_that_nobody_read_is_no_finding() {
    nothing_is_said_about(|| {
        for family in Family::ALL {
            orderly::eof_not_read(family);
        }
    });
}

fn closing_a_listener_is_no_finding() {
    nothing_is_said_about(orderly::listener);
}

fn shutdown_then_close_is_no_finding() {
    nothing_is_said_about(orderly::shutdown_then_close);
}

fn closing_a_half_closed_connection_is_no_finding() {
    nothing_is_said_about(orderly::close_after_half_close);
}

fn a_refused_connection_is_no_finding() {
    nothing_is_said_about(orderly::connection_refused);
}

fn an_empty_socket_that_the_peer_reset_is_no_finding() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let [theirs, _] = abort::peer_reset(0);
        observer.expect("linger_zero", &theirs);
        assert_eq!(observer.events_before_fence(), [], "nothing about our end");
    });
}
