//! Connections counted by process and peer, so that user space can tell who never uses one twice.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::note::Person;

/// A connection that ends before this age is short-lived, µs.
pub const SHORT_LIFE_US: u64 = 1_000_000;

/// Key: a process, one of its peers, and the window in which they are counted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Pair {
    /// [`Person::start_ns`] of the process.
    pub start_ns: u64,
    /// Remote address as in [`crate::Endpoints`].
    pub peer: [u32; 4],
    /// Process id.
    pub tgid: u32,
    /// Inode of the network namespace.
    pub netns: u32,
    /// The peer's port where the process connects, its own port where it accepts; host byte order.
    pub port: u16,
    /// [`crate::Role`] of the process.
    pub role: u8,
    /// Number of the window, 0 or 1: one is counted while the other is read.
    pub window: u8,
    /// Keeps the size a multiple of eight.
    pub padding: u32,
}

/// What is counted of a [`Pair`] in a window.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Churn {
    /// The process, and the thread that came first.
    pub who: Person,
    /// Connections established.
    pub opened: u64,
    /// Connections that the process closed. All of the following is about these.
    pub closed: u64,
    /// Of those, the ones that the close reset.
    pub flagged: u64,
    /// Of those, the ones younger than [`SHORT_LIFE_US`].
    pub short_lived: u64,
    /// Of those, the ones on which the peer's FIN had come before.
    pub peer_first: u64,
    /// Of those, the ones on which the client's data took one segment, or none.
    pub single: u64,
    /// Their ages, summed, µs.
    pub lifetime_us: u64,
    /// Their smoothed round-trip times, summed, µs.
    pub srtt_us: u64,
    /// How many had one.
    pub measured: u64,
    /// Payload bytes sent.
    pub sent_bytes: u64,
    /// Payload bytes received.
    pub received_bytes: u64,
}

const _: () = {
    assert!(size_of::<Pair>() == 40 && offset_of!(Pair, port) == 32);
    assert!(size_of::<Churn>() == 152 && offset_of!(Churn, opened) == 64);
};
