//! What the programs remember between hooks, in maps that only they read and write.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::COMM_LEN;

/// Which end of the connection a socket is.
pub struct Role;

impl Role {
    /// Not known: established before the observer started.
    pub const UNKNOWN: u8 = 0;
    /// Left SYN_SENT: it connected.
    pub const CLIENT: u8 = 1;
    /// Left SYN_RECV: it was accepted.
    pub const SERVER: u8 = 2;
}

/// Reasons for which a close may end in a RST, found at its entry, in the order in which `__tcp_close()`
/// tests them.
pub mod candidate {
    /// Unread bytes in the receive queue.
    pub const UNREAD: u8 = 1;
    /// Segments in the receive queue, but no unread byte.
    pub const PHANTOM: u8 = 1 << 1;
    /// SO_LINGER with a time of zero.
    pub const LINGER_ZERO: u8 = 1 << 2;
    /// TCP_LINGER2 below zero.
    pub const LINGER2: u8 = 1 << 3;
}

/// Bits of [`Note::flags`].
pub mod note_flag {
    /// The act was reported.
    pub const REPORTED: u8 = 1;
    /// The socket's orderly close was already counted.
    pub const COUNTED: u8 = 1 << 1;
    /// The connection ended by a received RST, a timeout or a kill.
    pub const FAILED: u8 = 1 << 2;
}

/// What is remembered of a socket, from its birth or first act to `tcp_destroy_sock`. Key: its address.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// Time it was established, ns of CLOCK_BOOTTIME; 0 when not seen.
    pub born_ns: u64,
    /// `bpf_get_current_pid_tgid()` of the closing task; 0 before the close.
    pub closer: u64,
    /// State before the close; 0 before the close.
    pub old_state: u8,
    /// [`Role`].
    pub role: u8,
    /// [`candidate`] bits.
    pub candidates: u8,
    /// [`note_flag`] bits.
    pub flags: u8,
    /// Keeps the size a multiple of eight.
    pub padding: u32,
}

/// Length of [`Endpoints`] in bytes.
pub const CLOSER_KEY_LEN: usize = 40;

/// The two ends of a connection, as seen from this host.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Endpoints {
    /// Local address, network byte order; IPv4 as `::ffff:a.b.c.d`.
    pub local: [u32; 4],
    /// Remote address, likewise.
    pub peer: [u32; 4],
    /// Local port, host byte order.
    pub local_port: u16,
    /// Remote port, host byte order.
    pub peer_port: u16,
    /// Inode of the network namespace.
    pub netns: u32,
}

const _: () = assert!(size_of::<Endpoints>() == CLOSER_KEY_LEN);

/// The process that closed a connection, for RSTs that come later in a softirq.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Closer {
    /// When, ns of CLOCK_BOOTTIME.
    pub closed_ns: u64,
    /// When the connection was established, likewise; 0 when not seen.
    pub born_ns: u64,
    /// `bpf_get_current_cgroup_id()`.
    pub cgroup_id: u64,
    /// Process id (`tgid`).
    pub tgid: u32,
    /// Thread id.
    pub pid: u32,
    /// Real user id.
    pub uid: u32,
    /// [`crate::record_flag`] bits that belong to the process.
    pub flags: u32,
    /// Name of the process (its leader), NUL-padded.
    pub comm: [u32; COMM_LEN / 4],
    /// Name of the thread, NUL-padded.
    pub thread: [u32; COMM_LEN / 4],
    /// [`Role`].
    pub role: u32,
    /// Keeps the size a multiple of eight.
    pub padding: u32,
}

const _: () = assert!(size_of::<Note>() == 24 && size_of::<Closer>() == 80);
