//! Causes as events and options name them; the codes are the ABI's.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $code:ident;)*) => {
        /// Why a connection was closed badly, or why this host sent a RST.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $($(#[$doc])* $variant,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code in records and totals.
            #[must_use]
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => observer_ebpf::Cause::$code,)*
                }
            }
        }
    };
}

causes! {
    /// The application closed with bytes in the receive queue that it had not read; the kernel sends RST instead of
    /// FIN (counter TCPAbortOnClose). With `reset_sent` false the peer's RST had come first.
    CloseUnread = CLOSE_UNREAD;
    /// The kernel took bytes that were read already, and delivered again, for unread ones: RST, TCPAbortOnClose. An
    /// artefact of kernels without upstream 5f9238530970, not the application's doing.
    ClosePhantom = CLOSE_PHANTOM;
    /// The application set SO_LINGER with a time of zero and closed (TCPAbortOnData).
    LingerZero = LINGER_ZERO;
    /// The application disconnected a connected socket: connect() with AF_UNSPEC (no counter).
    Disconnect = DISCONNECT;
    /// Closed in FIN_WAIT2 with TCP_LINGER2 below zero (TCPAbortOnLinger).
    #[serde(rename = "linger2_timeout")]
    Linger2Timeout = LINGER2_TIMEOUT;
    /// A listener was closed with connections that nobody had accepted (no counter).
    ListenerClose = LISTENER_CLOSE;
    /// Killed from outside: `ss -K`, SOCK_DESTROY (no counter).
    AdminKill = ADMIN_KILL;
    /// Too little memory for TCP, or too many orphans (TCPAbortOnMemory).
    OutOfMemory = OUT_OF_MEMORY;
    /// The peer's data met a socket that was closed already (TCPAbortOnData).
    DataAfterClose = DATA_AFTER_CLOSE;
    /// The peer's data met a closed socket in time-wait (no counter).
    DataAfterTimewait = DATA_AFTER_TIMEWAIT;
    /// Keep-alive probes went unanswered (TCPAbortOnTimeout).
    KeepaliveTimeout = KEEPALIVE_TIMEOUT;
    /// No socket for the segment: a closed port, or data long after the close (no counter). Reported once for a
    /// connection that a process of this host had closed in order; all of them only with `--cause no_socket`.
    NoSocket = NO_SOCKET;
    /// A segment that fits no state: bad ACK, SYN or flags.
    BadSegment = BAD_SEGMENT;
    /// Decided by Multipath TCP.
    Mptcp = MPTCP;
    /// Neither the socket nor the kernel's reason names a cause.
    Unclassified = UNCLASSIFIED;
    /// An orderly close, reported with `--all-closes`.
    Clean = CLEAN;
    /// The peer reset the connection.
    ResetByPeer = RESET_BY_PEER;
    /// The peer answered the SYN with a RST: nothing listens there, or a firewall refuses.
    ConnectionRefused = CONNECTION_REFUSED;
}

impl Cause {
    /// The cause of a code; None for a code that this version does not know.
    #[must_use]
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.code() == code)
    }

    /// The name in events and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        observer_ebpf::Cause::name(self.code()).unwrap_or("unclassified")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|cause| cause.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|cause| cause.name()).collect();
            format!("unknown cause; known are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_abi_has_a_cause_of_the_same_name() {
        assert_eq!(Cause::ALL.len(), observer_ebpf::Cause::ALL.len());
        for (code, name) in observer_ebpf::Cause::ALL {
            let cause = Cause::of(*code).unwrap();
            assert_eq!(cause.name(), *name);
            assert_eq!(serde_json::to_value(cause).unwrap(), *name);
            assert_eq!(name.parse::<Cause>().unwrap(), cause);
        }
    }
}
