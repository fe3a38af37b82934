//! The makers of acts are what they say, by the kernel's own counters. No BPF is needed here.

use conn_observer_tests::counters::Counters;
use conn_observer_tests::feature::Feature;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::{abort, actor::Actor, late, orderly};

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "traffic",
        [Feature::Netns],
        [
            an_unread_close_raises_abort_on_close_once,
            a_fin_behind_the_data_does_not_change_that,
            linger_zero_raises_abort_on_data_once,
            unread_data_goes_before_linger_zero,
            a_negative_linger2_raises_abort_on_linger_once,
            disconnect_and_a_dying_listener_send_resets_without_a_counter,
            late_data_raises_abort_on_data_only_while_the_socket_is_whole,
            a_reset_from_the_peer_leaves_us_nothing_to_send,
            orderly_closes_send_no_reset,
            actors_do_what_they_are_told,
        ]
    );
}

/// TCPAbortOnClose, TCPAbortOnData, TCPAbortOnLinger, OutRsts: what `act` adds.
fn raised<T>(namespace: &Netns, act: impl FnOnce() -> T) -> [u64; 4] {
    let before = namespace.counters();
    act();
    let delta: Counters = namespace.counters().since(&before);
    let [close, data, linger] =
        ["TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnLinger"].map(|name| delta.tcp_ext(name));
    [close, data, linger, delta.tcp("OutRsts")]
}

fn an_unread_close_raises_abort_on_close_once() {
    Netns::run(|namespace| {
        for family in Family::ALL {
            for side in Side::ALL {
                for bytes in [1, 100, 65_536, 1 << 20] {
                    let raised = raised(namespace, || abort::unread(family, side, bytes));
                    assert_eq!(raised, [1, 0, 0, 1], "{family:?} {side:?} {bytes}");
                }
            }
        }
    });
}

fn a_fin_behind_the_data_does_not_change_that() {
    Netns::run(|namespace| {
        assert_eq!(raised(namespace, || abort::unread_behind_fin(Family::V4, 100)), [1, 0, 0, 1]);
    });
}

fn linger_zero_raises_abort_on_data_once() {
    Netns::run(|namespace| {
        for side in Side::ALL {
            assert_eq!(raised(namespace, || abort::linger_zero(Family::V6, side)), [0, 1, 0, 1]);
        }
    });
}

fn unread_data_goes_before_linger_zero() {
    Netns::run(|namespace| {
        assert_eq!(raised(namespace, || abort::unread_with_linger_zero(5)), [1, 0, 0, 1]);
    });
}

fn a_negative_linger2_raises_abort_on_linger_once() {
    Netns::run(|namespace| {
        assert_eq!(raised(namespace, || abort::linger2(Family::V4)), [0, 0, 1, 1]);
    });
}

fn disconnect_and_a_dying_listener_send_resets_without_a_counter() {
    Netns::run(|namespace| {
        assert_eq!(raised(namespace, || abort::disconnect(Family::V4)), [0, 0, 0, 1]);
        assert_eq!(raised(namespace, abort::listener_with_waiting_connection), [0, 0, 0, 1]);
    });
}

fn late_data_raises_abort_on_data_only_while_the_socket_is_whole() {
    Netns::run(|namespace| {
        assert_eq!(raised(namespace, || late::after_close(Family::V4)), [0, 1, 0, 1]);
        assert_eq!(raised(namespace, || late::after_timewait(Family::V4)), [0, 0, 0, 1]);
    });
}

fn a_reset_from_the_peer_leaves_us_nothing_to_send() {
    Netns::run(|namespace| {
        for bytes in [0, 100] {
            assert_eq!(raised(namespace, || abort::peer_reset(bytes)), [0, 1, 0, 1], "the peer's linger zero only");
        }
    });
}

fn orderly_closes_send_no_reset() {
    Netns::run(|namespace| {
        for family in Family::ALL {
            for first in Side::ALL {
                assert_eq!(raised(namespace, || orderly::close(family, first)), [0; 4]);
            }
            assert_eq!(raised(namespace, || orderly::eof_not_read(family)), [0; 4]);
        }
        assert_eq!(raised(namespace, orderly::listener), [0; 4]);
        assert_eq!(raised(namespace, orderly::shutdown_then_close), [0; 4]);
        assert_eq!(raised(namespace, orderly::close_after_half_close), [0; 4]);
        let refused = raised(namespace, orderly::connection_refused);
        assert_eq!(refused, [0, 0, 0, 1], "the RST of the closed port is nobody's close");
    });
}

fn actors_do_what_they_are_told() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        for role in ["unread 100", "fork-unread 100", "child-unread 100", "thread-unread closer 100", "pass-unread 100"]
        {
            let raised = raised(namespace, || actor.play_one(role));
            assert_eq!(raised, [1, 0, 0, 1], "{role}");
        }
        assert_ne!(actor.play_one("fork-unread 100").pid, actor.pid());
        assert_ne!(actor.play_one("pass-unread 100").pid, actor.pid());
        assert_ne!(actor.play_one("thread-unread closer 100").tid, actor.pid());
        assert_eq!(raised(namespace, || actor.play("dup-unread 100")), [2, 0, 0, 2], "with its fence");
        let exit = raised(namespace, || {
            actor.play_one("exit-with 100");
            assert!(actor.wait().success());
        });
        assert_eq!(exit, [1, 0, 0, 1], "exit-with");
        let mut actor = Actor::spawn();
        let killed = raised(namespace, || {
            actor.play_one("hold 100");
            actor.kill();
        });
        assert_eq!(killed, [1, 0, 0, 1], "SIGKILL");
    });
}
