//! DNS messages in the ring `DNS` (`--dns`): a fixed head, then `bytes` of the UDP payload.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Length of the head in bytes.
pub const DATAGRAM_LEN: usize = 40;

/// Size of the ring in bytes.
pub const DNS_RING_BYTES: u32 = 1 << 20;

/// Payload bytes for which a common query's record has room.
pub const SHORT_QUERY_ROOM: usize = 80;

/// Payload bytes for which a common answer's record has room.
pub const SHORT_ANSWER_ROOM: usize = 208;

/// Most payload bytes of a query: the header, the longest name, its type and class. What stands behind is not needed.
pub const QUESTION_ROOM: usize = 12 + 255 + 4 + 1;

/// Payload bytes of an answer without extensions at most (RFC 1035 §2.3.4).
pub const PLAIN_ANSWER_ROOM: usize = 512;

/// Most payload bytes of an answer: what resolvers offer at most, as a rule (RFC 6891 §6.2.5). Longer ones are counted.
pub const ANSWER_ROOM: usize = 4_096;

/// Which way a message went.
pub struct Direction;

impl Direction {
    /// Out of this host's socket: a query.
    pub const ASKED: u32 = 1;
    /// Into a socket that has asked: an answer.
    pub const ANSWERED: u32 = 2;
}

/// One message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Datagram {
    /// When it passed, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Cookie of the socket: unique since boot.
    pub socket: u64,
    /// When the process started that asks, as in [`crate::Person`]; 0 with an answer, or when unknown.
    pub start_ns: u64,
    /// Its id; 0 with an answer, or when unknown.
    pub tgid: u32,
    /// Inode of its network namespace; 0 with an answer, or when unknown.
    pub netns: u32,
    /// [`Direction`].
    pub direction: u32,
    /// Payload bytes behind the head.
    pub bytes: u32,
}

const _: () = {
    assert!(size_of::<Datagram>() == DATAGRAM_LEN);
    assert!(offset_of!(Datagram, direction) == 32);
    assert!((DATAGRAM_LEN + QUESTION_ROOM).is_multiple_of(8));
};
