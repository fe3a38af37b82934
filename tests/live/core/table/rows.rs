//! The rows: what is done, what is to be said of it.

use conn_observer_tests::feature::Feature::OwnMachine;
use conn_observer_tests::handmade::{self, Gone};
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::received::{self, Lost};
use conn_observer_tests::{abort, answers, multipath, orderly, scarce};

use super::Row;
use super::acts;
use super::kinds::{
    BAD, BASE, DISCONNECT, KEEPALIVE, KILL, LATE, LATE_TIMEWAIT, LINGER, LISTENER, MPTCP, NO_RST, NO_SOCKET, ON_LINGER,
    RECEIVED, TUN, UNREAD,
};

const NOTHING: Lost = Lost { unread: 0, in_flight: 0, unsent: 0 };
const ALL_KINDS: Lost = Lost { unread: 10, in_flight: 2000, unsent: 500 };

/// The whole table.
pub(super) fn all() -> Vec<Row> {
    [closes(), acts_without_close(), late(), answered(), received()].concat()
}

fn closes() -> Vec<Row> {
    vec![
        Row {
            name: "unread data in an established connection",
            make: |_| abort::unread(Family::V4, Side::Client, 100),
            severity: "harmful",
            unacked: Some(0),
            ..UNREAD
        },
        Row {
            name: "unread data of an exiting process",
            make: |world| acts::unread_at_exit(world, 100),
            severity: "benign",
            ..UNREAD
        },
        Row {
            name: "an unread alert behind which came the FIN",
            make: |_| abort::unread_behind_fin(Family::V6, 64),
            severity: "benign",
            ..UNREAD
        },
        Row {
            name: "more unread data behind which came the FIN",
            make: |_| abort::unread_behind_fin(Family::V4, 65),
            ..UNREAD
        },
        Row {
            name: "unread data and data that the peer never acknowledged",
            make: |world| received::closed_by_us(world.tun(), ALL_KINDS),
            severity: "harmful",
            unacked: Some(2500),
            unsent: Some(500),
            needs: TUN,
            ..UNREAD
        },
        Row {
            name: "linger zero with nothing to lose",
            make: |_| abort::linger_zero(Family::V4, Side::Server),
            unacked: Some(0),
            ..LINGER
        },
        Row {
            name: "linger zero with data that the peer never acknowledged",
            make: |world| received::lingering_closed_by_us(world.tun(), Lost { unread: 0, ..ALL_KINDS }),
            severity: "harmful",
            unacked: Some(2500),
            unsent: Some(500),
            needs: TUN,
            ..LINGER
        },
        Row {
            name: "linger zero after the FIN",
            make: |_| acts::linger_zero_after_fin(),
            severity: "benign",
            ..LINGER
        },
        Row {
            name: "negative linger2 in finwait2",
            make: |_| abort::linger2(Family::V4),
            kind: "close",
            cause: "linger2_timeout",
            reasons: &["TCP_ABORT_ON_LINGER"],
            raises: ON_LINGER,
            ..BASE
        },
        Row {
            name: "a close without memory",
            make: |world| world.keep(scarce::out_of_memory()),
            cause: "out_of_memory",
            severity: "harmful",
            reasons: &["TCP_ABORT_ON_MEMORY"],
            needs: &[OwnMachine],
            ..BASE
        },
        Row {
            name: "a clean close",
            make: |_| orderly::eof_not_read(Family::V4),
            kind: "close",
            cause: "clean",
            severity: "benign",
            raises: NO_RST,
            ..BASE
        },
    ]
}

fn acts_without_close() -> Vec<Row> {
    vec![
        Row { name: "a disconnect with nothing to lose", make: |_| abort::disconnect(Family::V4), ..DISCONNECT },
        Row {
            name: "a disconnect with unread data",
            make: |_| acts::disconnect_with_unread(9),
            severity: "harmful",
            ..DISCONNECT
        },
        Row {
            name: "a Multipath TCP connection with unread data",
            make: |_| multipath::close_unread().expect("Multipath TCP"),
            ..MPTCP
        },
        Row {
            name: "a listener with a waiting connection",
            make: |_| abort::listener_with_waiting_connection(),
            ..LISTENER
        },
        Row {
            name: "a listener with a waiting connection that has data",
            make: |_| acts::listener_with_waiting_data(10),
            severity: "harmful",
            ..LISTENER
        },
        Row { name: "a connection ended from outside", make: |world| acts::kill(world, 0), ..KILL },
        Row {
            name: "a connection with unread data ended from outside",
            make: |world| acts::kill(world, 5),
            severity: "harmful",
            ..KILL
        },
    ]
}

fn late() -> Vec<Row> {
    vec![
        Row {
            name: "an alert for a whole socket in finwait2",
            make: |world| handmade::late_to_full_socket(world.tun(), 64),
            severity: "benign",
            segment: Some(64),
            ..LATE
        },
        Row {
            name: "data for a whole socket in finwait2",
            make: |world| handmade::late_to_full_socket(world.tun(), 65),
            segment: Some(65),
            ..LATE
        },
        Row {
            name: "data before the FIN is acknowledged",
            make: |world| handmade::late_to_finwait1(world.tun(), 900),
            segment: Some(900),
            ..LATE
        },
        Row {
            name: "an alert for a minisocket",
            make: |world| handmade::late_to_minisocket(world.tun(), 64),
            severity: "benign",
            segment: Some(64),
            ..LATE_TIMEWAIT
        },
        Row {
            name: "data for a minisocket",
            make: |world| handmade::late_to_minisocket(world.tun(), 900),
            segment: Some(900),
            ..LATE_TIMEWAIT
        },
        Row {
            name: "an alert after the minisocket was reset",
            make: |world| handmade::late_to_nothing(world.tun(), Gone::Reset, 64),
            severity: "benign",
            segment: Some(64),
            ..NO_SOCKET
        },
        Row {
            name: "data where no minisocket is allowed",
            make: |world| handmade::late_to_nothing(world.tun(), Gone::NoneAllowed, 900),
            segment: Some(900),
            ..NO_SOCKET
        },
        Row {
            name: "negative linger2 as the peer acknowledges the FIN",
            make: |world| handmade::passive_linger2(world.tun()),
            cause: "linger2_timeout",
            reasons: &["TCP_ABORT_ON_DATA", "TCP_ABORT_ON_LINGER"],
            ..LATE
        },
    ]
}

fn answered() -> Vec<Row> {
    vec![
        Row { name: "a silent peer", make: |world| world.keep_with(answers::keepalive), ..KEEPALIVE },
        Row {
            name: "an ACK out of nowhere for a listener",
            make: |world| world.keep_with(answers::ack_for_listener),
            attribution: "listener",
            limit: Some("bad_segment"),
            ..BAD
        },
        Row {
            name: "a wrong ACK in a handshake",
            make: |world| world.keep_with(answers::wrong_ack_in_handshake),
            attribution: "listener",
            limit: Some("bad_segment"),
            ..BAD
        },
        Row {
            name: "a wrong ACK for a SYN",
            make: |world| world.keep_with(answers::wrong_ack_for_syn),
            attribution: "owner",
            ..BAD
        },
    ]
}

fn received() -> Vec<Row> {
    vec![
        Row {
            name: "a reset of an idle connection",
            make: |world| world.keep_with(|tun| received::established(tun, NOTHING)),
            unacked: Some(0),
            ..RECEIVED
        },
        Row {
            name: "a reset with unread data",
            make: |world| world.keep_with(|tun| received::established(tun, Lost { unread: 100, ..NOTHING })),
            unacked: Some(0),
            ..RECEIVED
        },
        Row {
            name: "a reset with data on its way and more behind it",
            make: |world| world.keep_with(|tun| received::established(tun, ALL_KINDS)),
            severity: "harmful",
            unacked: Some(2500),
            unsent: Some(500),
            ..RECEIVED
        },
        Row {
            name: "a reset while the window is shut",
            make: |world| world.keep_with(|tun| received::established(tun, Lost { unsent: 700, ..NOTHING })),
            severity: "harmful",
            unacked: Some(700),
            unsent: Some(700),
            ..RECEIVED
        },
        Row {
            name: "a reset after our own close",
            make: |world| received::after_close(world.tun()),
            attribution: "closer",
            severity: "benign",
            ..RECEIVED
        },
        Row {
            name: "a connection that is refused",
            make: |world| received::refused(world.tun()),
            cause: "connection_refused",
            ..RECEIVED
        },
    ]
}
