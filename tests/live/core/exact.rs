//! The sums: findings and totals against the kernel's own counters.

use std::net::TcpListener;

use conn_observer_tests::abort;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::orderly;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::sock;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            ten_thousand_mixed_closes_agree_with_the_kernels_counters,
            totals_count_what_filters_hide,
            every_clean_close_is_counted_once,
            a_connection_that_was_reset_is_no_clean_close,
            a_linger_time_of_zero_is_counted_as_the_kernel_counts_it,
        ]
    );
}

fn ten_thousand_mixed_closes_agree_with_the_kernels_counters() {
    const ROUNDS: u64 = 2_000;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &[]);
        let before = namespace.counters();
        let listener = TcpListener::bind(Family::V4.loopback()).unwrap();
        let mut unread_bytes = 0;
        for round in 0..ROUNDS {
            let side = Side::ALL[round as usize % 2];
            let bytes = 1 + round % 997;
            unread_bytes += bytes;
            abort::unread_on(Pair::through(&listener), side, bytes);
            abort::linger_zero(Family::V4, side);
            orderly::close(Family::V4, Side::Client);
            orderly::close(Family::V4, Side::Server);
            orderly::eof_not_read(Family::V6);
        }
        drop(listener);
        let delta = namespace.counters().since(&before);
        let sees_all_resets = !observer.declares_limit("data_after_timewait");
        let report = observer.stop();
        assert_eq!(report.total(namespace, "close_unread", "lost"), 0, "the ring is ample");
        for (cause, counter) in [("close_unread", "TCPAbortOnClose"), ("linger_zero", "TCPAbortOnData")] {
            assert_eq!(delta.tcp_ext(counter), ROUNDS, "{counter} {:?}", report.stopped());
            assert_eq!(report.count(cause), ROUNDS, "events of {cause}");
            for field in ["acts", "resets", "submitted"] {
                assert_eq!(report.total(namespace, cause, field), ROUNDS, "{field} of {cause}");
            }
        }
        // A segment may meet a socket that is gone when a busy machine delays its RST: the kernel answers with one more.
        for event in report.events().filter(|event| !["close_unread", "linger_zero"].contains(&event.cause())) {
            assert_eq!(event.kind(), "reset_sent", "no other close: {event:?}");
        }
        let resets = report.sum(namespace, "resets");
        if sees_all_resets {
            assert_eq!(delta.tcp("OutRsts"), resets);
        } else {
            assert!((2 * ROUNDS..=delta.tcp("OutRsts")).contains(&resets), "{resets}");
        }
        let told: u64 = report.events().map(|event| event.at("tcp.unread_bytes").as_u64().unwrap_or(0)).sum();
        assert_eq!(told, unread_bytes);
        assert_eq!(report.total(namespace, "close_unread", "unread_bytes"), unread_bytes);
        // Not `missed`: it counts the traffic of other tests as well.
        assert_eq!(report.stopped().number("disagreements"), 0);
    });
}

fn totals_count_what_filters_hide() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--min-unread", "7"]);
        for _ in 0..10 {
            abort::unread(Family::V4, Side::Client, 6);
        }
        assert_eq!(observer.events_before_fence(), []);
        let report = observer.stop();
        assert_eq!(report.total(namespace, "close_unread", "acts"), 11);
        assert_eq!(report.total(namespace, "close_unread", "submitted"), 1);
        assert_eq!(report.total(namespace, "close_unread", "unread_bytes"), 67);
    });
}

fn every_clean_close_is_counted_once() {
    const ROUNDS: u64 = 20;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--all-closes"]);
        for _ in 0..ROUNDS {
            orderly::close(Family::V4, Side::Client);
            orderly::close(Family::V6, Side::Server);
            orderly::eof_not_read(Family::V4);
            orderly::shutdown_then_close();
            orderly::close_after_half_close();
            orderly::close_after_the_end();
        }
        let report = observer.stop();
        // Two ends each.
        for field in ["acts", "submitted"] {
            assert_eq!(report.total(namespace, "clean", field), ROUNDS * 6 * 2, "{field}");
        }
        assert_eq!(report.events().count() as u64, ROUNDS * 6 * 2, "{:?}", report.stopped());
    });
}

fn a_connection_that_was_reset_is_no_clean_close() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--all-closes"]);
        abort::reset_after_fin();
        let report = observer.stop();
        assert_eq!(report.total(namespace, "clean", "acts"), 1, "the end that closed first: {:?}", report.stopped());
    });
}

/// Also where nothing had to be reset, and not where the close never came to look at it.
fn a_linger_time_of_zero_is_counted_as_the_kernel_counts_it() {
    Netns::run(|namespace| {
        let before = namespace.counters();
        let observer = Observer::within(namespace, &[]);
        abort::linger_zero(Family::V4, Side::Client);
        let (waiting, listener) = abort::pending_connections(2);
        let [plain, zero] = <[_; 2]>::try_from(waiting).expect("two");
        sock::linger_zero(&zero);
        drop((plain, zero));
        let Pair { client, server } = orderly::ended();
        sock::linger_zero(&client);
        drop((client, server, listener));
        let counted = namespace.counters().since(&before).tcp_ext("TCPAbortOnData");
        let report = observer.stop();
        assert_eq!(counted, 2, "the established one and the pending one");
        assert_eq!(report.total(namespace, "linger_zero", "acts"), counted, "{:?}", report.stopped());
        assert_eq!(report.total(namespace, "linger_zero", "resets"), 1);
        assert_eq!(report.count("linger_zero"), 1);
    });
}
