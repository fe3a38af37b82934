//! The makers that need a scripted peer are what they say, by the kernel's own counters. No BPF is needed here.

use conn_observer_tests::answers;
use conn_observer_tests::feature::Feature::{Netns as PrivateNetns, Tun as TunDevice};
use conn_observer_tests::handmade::{self, Gone};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::received::{self, Lost};
use conn_observer_tests::tun::Tun;

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "traffic",
        [PrivateNetns, TunDevice],
        [
            a_phantom_reset_is_one_close_without_unread_bytes_or_none,
            late_data_raises_what_its_socket_can,
            a_negative_linger2_that_the_peer_sets_off_is_counted_with_late_data,
            a_silent_peer_raises_abort_on_timeout_once,
            segments_that_do_not_fit_are_reset_without_a_counter,
            resets_of_the_peer_send_none_of_ours,
        ]
    );
}

/// What `act` raises among the counters of resets. What it gives back is kept until they have been read.
#[track_caller]
fn assert_raises<T>(expected: &[(&str, u64)], act: impl FnOnce(&Tun) -> T + Send) {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let before = namespace.counters();
        let _kept = act(&tun);
        assert_eq!(namespace.counters().since(&before).resets(), expected);
    });
}

fn a_phantom_reset_is_one_close_without_unread_bytes_or_none() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let before = namespace.counters();
        handmade::phantom(&tun);
        let delta = namespace.counters().since(&before);
        let raised = delta.resets();
        let phantom: &[_] = &[("OutRsts", 1), ("TCPAbortOnClose", 1)];
        assert!(raised == phantom || raised.is_empty(), "{raised:?}");
    });
}

fn late_data_raises_what_its_socket_can() {
    let whole = [("OutRsts", 1), ("TCPAbortOnData", 1)];
    assert_raises(&whole, |tun| handmade::late_to_full_socket(tun, 900));
    assert_raises(&whole, |tun| handmade::late_to_finwait1(tun, 900));
    assert_raises(&[("OutRsts", 1)], |tun| handmade::late_to_minisocket(tun, 900));
    for gone in [Gone::Reset, Gone::NoneAllowed] {
        assert_raises(&[("OutRsts", 1)], |tun| handmade::late_to_nothing(tun, gone, 900));
    }
}

fn a_negative_linger2_that_the_peer_sets_off_is_counted_with_late_data() {
    assert_raises(&[("OutRsts", 1), ("TCPAbortOnData", 1)], handmade::passive_linger2);
}

fn a_silent_peer_raises_abort_on_timeout_once() {
    assert_raises(&[("OutRsts", 1), ("TCPAbortOnTimeout", 1)], answers::keepalive);
}

fn segments_that_do_not_fit_are_reset_without_a_counter() {
    assert_raises(&[("OutRsts", 1)], answers::ack_for_listener);
    assert_raises(&[("OutRsts", 1)], answers::wrong_ack_in_handshake);
    assert_raises(&[("OutRsts", 1)], answers::wrong_ack_for_syn);
    assert_raises(&[], answers::syn_in_connection);
}

fn resets_of_the_peer_send_none_of_ours() {
    for lost in [
        Lost::default(),
        Lost { unread: 100, ..Lost::default() },
        Lost { in_flight: 3000, ..Lost::default() },
        Lost { unsent: 700, ..Lost::default() },
        Lost { unread: 1, in_flight: 2000, unsent: 5000 },
    ] {
        assert_raises(&[], |tun| received::established(tun, lost));
    }
    assert_raises(&[], received::refused);
    assert_raises(&[], received::after_close);
}
