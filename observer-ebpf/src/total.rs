//! Totals kept by the programs in per-CPU maps: exact whatever the filters do and however full the ring is.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Key of a total.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable)]
pub struct TotalKey {
    /// Inode of the network namespace; 0 when the namespace could not be read.
    pub netns: u32,
    /// [`crate::Cause`].
    pub cause: u32,
}

/// What one CPU has counted for a namespace and cause since the hooks were attached.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Total {
    /// Acts seen, whatever the filters say.
    pub acts: u64,
    /// Acts with which this host sent a RST.
    pub resets: u64,
    /// Acts that answered a segment.
    pub answers: u64,
    /// Bytes left unread, summed.
    pub unread_bytes: u64,
    /// Acts that passed the filters and were offered to the ring.
    pub submitted: u64,
    /// Of those, the ones for which the ring had no room.
    pub lost: u64,
}

/// Slots of the statistics array.
pub struct Stat;

impl Stat {
    /// Prediction and the kernel's reason disagreed.
    pub const DISAGREEMENTS: u32 = 0;
    /// RSTs withheld because a process filter is on and nobody knows the process.
    pub const UNATTRIBUTED: u32 = 1;
    /// Acts not counted because the totals map was full.
    pub const TOTALS_FULL: u32 = 2;
    /// Sockets that could not be remembered, or were forgotten for another one: no duration, role or state before the close.
    pub const NOTES_FULL: u32 = 3;
    /// Children that could not be followed: the map of process ids was full.
    pub const PIDS_FULL: u32 = 4;
    /// RSTs outside a process's own act whose connection nobody is remembered for.
    pub const UNKNOWN_OWNERS: u32 = 5;
    /// Runs given up since two runs of the same program were under way on the CPU.
    pub const NESTED: u32 = 6;
    /// Beginnings and ends of processes for which their ring had no room.
    pub const PROCESSES_LOST: u32 = 7;
    /// DNS messages for which their ring had no room.
    pub const DNS_LOST: u32 = 8;
    /// DNS answers too long to be copied.
    pub const DNS_CUT: u32 = 9;
    /// Connections not counted by process and peer, since that map was full.
    pub const CHURN_FULL: u32 = 10;
}

/// Number of statistics.
pub const STAT_SLOTS: u32 = 11;
