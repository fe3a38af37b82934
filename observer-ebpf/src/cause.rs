//! Causes of a bad close or RST, as codes shared by both sides.

/// A cause code. Zero is never a cause, so a zeroed record cannot pass for one.
///
/// Where each is made: `net/ipv4/tcp.c`, `tcp_input.c`, `tcp_timer.c`, `tcp_ipv4.c`; see `docs/causes.md`.
pub struct Cause;

macro_rules! causes {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal;)*) => {
        impl Cause {
            $($(#[$doc])* pub const $constant: u8 = $code;)*

            /// Every cause with its name in events, filters and metrics.
            pub const ALL: &'static [(u8, &'static str)] = &[$(($code, $name)),*];
        }
    };
}

causes! {
    /// `__tcp_close()` found data that the application never read: `TCPAbortOnClose`.
    CLOSE_UNREAD = 1, "close_unread";
    /// `__tcp_close()` of an older kernel took re-delivered, already read bytes for unread ones: `TCPAbortOnClose`.
    CLOSE_PHANTOM = 2, "close_phantom";
    /// Close with SO_LINGER on and a linger time of zero: `TCPAbortOnData`.
    LINGER_ZERO = 3, "linger_zero";
    /// `connect()` with AF_UNSPEC on a connected socket.
    DISCONNECT = 4, "disconnect";
    /// Close in FIN_WAIT2 with TCP_LINGER2 below zero: `TCPAbortOnLinger`.
    LINGER2_TIMEOUT = 5, "linger2_timeout";
    /// A closing listener resets the connections nobody accepted (no counter).
    LISTENER_CLOSE = 6, "listener_close";
    /// `tcp_abort()`: `ss -K`, SOCK_DESTROY.
    ADMIN_KILL = 7, "admin_kill";
    /// Too much memory or too many orphans: `TCPAbortOnMemory`.
    OUT_OF_MEMORY = 8, "out_of_memory";
    /// The peer's data met a socket that was closed: `TCPAbortOnData`.
    DATA_AFTER_CLOSE = 9, "data_after_close";
    /// The peer's data met a time-wait minisocket (no counter).
    DATA_AFTER_TIMEWAIT = 10, "data_after_timewait";
    /// Keep-alive probes went unanswered: `TCPAbortOnTimeout`.
    KEEPALIVE_TIMEOUT = 11, "keepalive_timeout";
    /// No socket for the segment: a closed port, or data long after the close.
    NO_SOCKET = 12, "no_socket";
    /// A segment that fits no state: bad ACK, SYN or flags.
    BAD_SEGMENT = 13, "bad_segment";
    /// Decided by Multipath TCP.
    MPTCP = 14, "mptcp";
    /// A RST for which neither the socket nor the kernel's reason names a cause.
    UNCLASSIFIED = 15, "unclassified";
    /// An orderly close; counted always, reported with `--all-closes` only.
    CLEAN = 16, "clean";
    /// The peer reset the connection.
    RESET_BY_PEER = 17, "reset_by_peer";
    /// The peer answered the SYN with a RST.
    CONNECTION_REFUSED = 18, "connection_refused";
}

impl Cause {
    /// The bit of a cause in a cause mask.
    #[must_use]
    pub const fn bit(cause: u8) -> u32 {
        1 << (cause as u32 & 31)
    }

    /// The name of a cause code, as in events.
    #[must_use]
    pub fn name(cause: u8) -> Option<&'static str> {
        Self::ALL.iter().find(|(code, _)| *code == cause).map(|(_, name)| *name)
    }
}

/// Who decided on the cause.
pub struct Source;

impl Source {
    /// The decision of the kernel, done again on the socket's fields.
    pub const PREDICTED: u8 = 1;
    /// The kernel's own reason for the reset.
    pub const KERNEL: u8 = 2;
    /// Both, and they agree.
    pub const BOTH: u8 = 3;
}

/// Slots of the table from reset reason number to the mask of causes that fit it
/// (`enum sk_rst_reason` had 26 values in 7.3; its numbers are not ABI, names are looked up in BTF).
pub const REASON_SLOTS: usize = 64;
