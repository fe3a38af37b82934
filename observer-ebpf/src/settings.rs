//! What user space hands to the programs before they are loaded: frozen, so the verifier takes the values
//! for constants and removes what they switch off.

use zerocopy::{Immutable, IntoBytes};

/// Which filters are on, as bits of [`Selection::filters`]. A filter's values are in its map.
pub struct Filters;

impl Filters {
    /// Process ids: map `PIDS`.
    pub const PID: u32 = 1;
    /// Process or thread name: map `COMMS`.
    pub const COMM: u32 = 1 << 1;
    /// Real user id: map `UIDS`.
    pub const UID: u32 = 1 << 2;
    /// Port at either end: map `PORTS`.
    pub const PORT: u32 = 1 << 3;
    /// Remote address: map `PEERS`.
    pub const PEER: u32 = 1 << 4;
    /// Network namespace inode: map `NETNS`.
    pub const NETNS: u32 = 1 << 5;
    /// All filters that ask who the process is.
    pub const PROCESS: u32 = Self::PID | Self::COMM | Self::UID;
}

/// How the programs may look at the current task.
pub struct TaskAccess;

impl TaskAccess {
    /// Not at all.
    pub const NONE: u32 = 0;
    /// `bpf_get_current_task_btf`, 5.11 and later.
    pub const BTF: u32 = 1;
    /// `bpf_get_current_task` and `bpf_probe_read_kernel`.
    pub const PROBE: u32 = 2;
}

/// Bits of a key of the `PEERS` map: the generation of the filters, then the address; IPv4 is stored as `::ffff:a.b.c.d`.
pub const PREFIX_BITS: u32 = 32 + 128;

/// Bits of [`Settings::stacks`].
pub struct Stacks;

impl Stacks {
    /// The process's.
    pub const USER: u32 = 1;
    /// The kernel's.
    pub const KERNEL: u32 = 1 << 1;
}

/// What is observed and reported. Frozen, or, when [`Settings::reloadable`], in the map `SELECTIONS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
pub struct Selection {
    /// Filters that are on; see [`Filters`].
    pub filters: u32,
    /// Causes to report, one bit each ([`crate::Cause::bit`]).
    pub causes: u32,
    /// Causes to report only when they have a story: the process that had closed the connection in order, once a
    /// connection.
    pub storied: u32,
    /// Least number of unread bytes to report.
    pub min_unread: u32,
    /// 1 to observe the children of observed processes.
    pub children: u32,
}

/// Selections that the map `SELECTIONS` holds: the one in force and the one before or after it.
pub const SELECTION_SLOTS: u32 = 2;

/// Frozen settings of one observer.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
pub struct Settings {
    /// What is observed, unless it may change.
    pub selection: Selection,
    /// 1 when what is observed may change while the programs run.
    pub reloadable: u32,
    /// Stacks to record; see [`Stacks`].
    pub stacks: u32,
    /// Frames of each stack to record, 0 to 64.
    pub stack_depth: u32,
    /// 1 to record the top of the user stack: `bpf_task_pt_regs` (5.15) is there, and user memory may be read.
    pub stack_top: u32,
    /// 1 to count connections by process and peer.
    pub churn: u32,
    /// Bytes that wait in the ring before the reader is woken; 0 wakes it for each record.
    pub wake_bytes: u32,
    /// [`TaskAccess`].
    pub task_access: u32,
    /// 1 where `bpf_probe_read_kernel` may be used (not under lockdown=confidentiality).
    pub probe_read: u32,
    /// 1 when closes are seen by function hooks, 0 when `inet_sock_set_state` must serve.
    pub close_hook: u32,
    /// Index of the parameter `reason` of the tracepoint `tcp_send_reset`; [`crate::ABSENT`] before 6.10.
    pub reason_arg: u32,
    /// Bit of SOCK_DEAD in `sk_flags`.
    pub sock_dead: u32,
    /// Bit of SOCK_DONE in `sk_flags`.
    pub sock_done: u32,
    /// Bit of SOCK_LINGER in `sk_flags`.
    pub sock_linger: u32,
    /// Bit of SOCK_KEEPOPEN in `sk_flags`.
    pub sock_keepopen: u32,
    /// Byte offset of `tcp_sock.repair`, a bit field; [`crate::ABSENT`] when unknown.
    pub repair_offset: u32,
    /// Mask of `repair` in that byte.
    pub repair_mask: u32,
    /// Sets in the map `OWNERS`, a power of two, less one.
    pub owner_mask: u32,
    /// Seed of [`crate::hash`].
    pub owner_seed: u32,
}
