//! What rows of one cause have in common.

use conn_observer_tests::feature::Feature::{self, Mptcp, SockDestroy, Tun};

use super::Row;

/// What makes packets by hand.
pub(super) const TUN: &[Feature] = &[Tun];

/// A reset of ours that no TCPAbort counter knows.
pub(super) const ONLY_RST: Option<&[(&str, u64)]> = Some(&[("OutRsts", 1)]);
pub(super) const NO_RST: Option<&[(&str, u64)]> = Some(&[]);
pub(super) const ON_CLOSE: Option<&[(&str, u64)]> = Some(&[("OutRsts", 1), ("TCPAbortOnClose", 1)]);
pub(super) const ON_DATA: Option<&[(&str, u64)]> = Some(&[("OutRsts", 1), ("TCPAbortOnData", 1)]);
pub(super) const ON_LINGER: Option<&[(&str, u64)]> = Some(&[("OutRsts", 1), ("TCPAbortOnLinger", 1)]);
pub(super) const ON_TIMEOUT: Option<&[(&str, u64)]> = Some(&[("OutRsts", 1), ("TCPAbortOnTimeout", 1)]);

pub(super) const BASE: Row = Row {
    name: "",
    make: |_| unreachable!(),
    kind: "reset_sent",
    cause: "",
    attribution: "current",
    severity: "suspect",
    reasons: &[],
    unacked: None,
    unsent: None,
    segment: None,
    raises: None,
    limit: None,
    needs: &[],
};
pub(super) const UNREAD: Row =
    Row { kind: "close", cause: "close_unread", reasons: &["TCP_ABORT_ON_CLOSE"], raises: ON_CLOSE, ..BASE };
pub(super) const LINGER: Row =
    Row { kind: "close", cause: "linger_zero", reasons: &["TCP_STATE"], raises: ON_DATA, ..BASE };
pub(super) const DISCONNECT: Row =
    Row { cause: "disconnect", reasons: &["TCP_STATE", "TCP_DISCONNECT_WITH_DATA"], raises: ONLY_RST, ..BASE };
pub(super) const LISTENER: Row = Row { cause: "listener_close", reasons: &["TCP_STATE"], raises: ONLY_RST, ..BASE };
pub(super) const LATE: Row = Row {
    cause: "data_after_close",
    attribution: "closer",
    reasons: &["TCP_ABORT_ON_DATA"],
    raises: ON_DATA,
    needs: TUN,
    ..BASE
};
pub(super) const LATE_TIMEWAIT: Row = Row {
    cause: "data_after_timewait",
    reasons: &["TCP_TIMEWAIT_SOCKET"],
    raises: ONLY_RST,
    limit: Some("timewait"),
    ..LATE
};
pub(super) const NO_SOCKET: Row =
    Row { cause: "no_socket", reasons: &["NO_SOCKET"], raises: ONLY_RST, limit: Some("no_socket"), ..LATE };
pub(super) const KILL: Row =
    Row { cause: "admin_kill", reasons: &["TCP_STATE"], raises: ONLY_RST, needs: &[SockDestroy], ..BASE };
pub(super) const MPTCP: Row =
    Row { cause: "mptcp", reasons: &["TCP_ABORT_ON_CLOSE", "TCP_STATE"], raises: ONLY_RST, needs: &[Mptcp], ..BASE };
pub(super) const KEEPALIVE: Row = Row {
    cause: "keepalive_timeout",
    attribution: "owner",
    reasons: &["TCP_KEEPALIVE_TIMEOUT"],
    raises: ON_TIMEOUT,
    needs: TUN,
    ..BASE
};
pub(super) const BAD: Row = Row {
    cause: "bad_segment",
    reasons: &["TCP_FLAGS", "TCP_INVALID_ACK_SEQUENCE"],
    raises: ONLY_RST,
    needs: TUN,
    ..BASE
};
pub(super) const RECEIVED: Row =
    Row { kind: "reset_received", cause: "reset_by_peer", attribution: "owner", raises: NO_RST, needs: TUN, ..BASE };
