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
    /// The process that uses the connection is remembered.
    pub const OWNED: u8 = 1 << 3;
    /// The end of the connection was counted by process and peer.
    pub const CHURNED: u8 = 1 << 4;
    /// The peer's FIN had come before ours went out.
    pub const PEER_FIRST: u8 = 1 << 5;
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
    /// Who connects it: while it does, its ends are not complete, and it has no [`crate::Owner`].
    pub connector: Person,
}

impl Note {
    /// Nothing known yet.
    pub const BLANK: Self = Self {
        born_ns: 0,
        closer: 0,
        old_state: 0,
        role: Role::UNKNOWN,
        candidates: 0,
        flags: 0,
        padding: 0,
        connector: Person::NOBODY,
    };
}

/// Length of [`Endpoints`] in bytes.
pub const ENDPOINTS_LEN: usize = 40;

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

const _: () = assert!(size_of::<Endpoints>() == ENDPOINTS_LEN);

/// A task: a process and one of its threads.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Person {
    /// `bpf_get_current_cgroup_id()`: cgroup v2 id; 0 when unknown.
    pub cgroup_id: u64,
    /// When the process started (`start_boottime` of its leader), ns of CLOCK_BOOTTIME; 0 when unknown. With `tgid` it
    /// names a process for good.
    pub start_ns: u64,
    /// Process id (`tgid`); 0 when nobody is known.
    pub tgid: u32,
    /// Thread id.
    pub pid: u32,
    /// Real user id.
    pub uid: u32,
    /// [`person_flag`] bits.
    pub flags: u32,
    /// Name of the process (its leader), NUL-padded.
    pub comm: [u32; COMM_LEN / 4],
    /// Name of the thread, NUL-padded.
    pub thread: [u32; COMM_LEN / 4],
}

impl Person {
    /// Nobody.
    pub const NOBODY: Self =
        Self { cgroup_id: 0, start_ns: 0, tgid: 0, pid: 0, uid: 0, flags: 0, comm: [0; 4], thread: [0; 4] };
}

/// Bits of [`Person::flags`].
pub mod person_flag {
    /// The process was exiting.
    pub const EXITING: u32 = 1;
    /// The process filters name it.
    pub const OBSERVED: u32 = 1 << 1;
    /// It is a kernel thread.
    pub const KTHREAD: u32 = 1 << 2;
    /// The filters by which [`OBSERVED`] was found out; see [`of_generation`].
    pub const GENERATION: u32 = 0xffff << GENERATION_SHIFT;

    const GENERATION_SHIFT: u32 = 16;

    /// The number of the filters, as far as it has room.
    #[must_use]
    pub const fn of_generation(generation: u32) -> u32 {
        generation << GENERATION_SHIFT
    }
}

/// Key of a listener's owner.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct ListenerKey {
    /// Local address as in [`Endpoints`]; `::` or `::ffff:0.0.0.0` for every address.
    pub local: [u32; 4],
    /// Inode of the network namespace.
    pub netns: u32,
    /// Port, host byte order.
    pub port: u32,
}

const _: () = assert!(size_of::<Note>() == 88 && size_of::<Person>() == 64);
