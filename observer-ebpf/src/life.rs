//! The lives of processes in the ring `PROCESSES`: a fixed head, and for an `execve()` the path and the arguments
//! behind it. Whoever reads a finding can so tell a process that has ended meanwhile.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::COMM_LEN;

/// Most bytes of a path, its NUL included.
pub const PATH_ROOM: usize = 256;

/// Most bytes of arguments.
pub const ARGUMENTS_ROOM: usize = 1_024;

/// Length of the head in bytes.
pub const LIFE_LEN: usize = 104;

/// What happened to a process.
pub struct Step;

impl Step {
    /// It was forked.
    pub const FORK: u32 = 1;
    /// It executes a program.
    pub const EXEC: u32 = 2;
    /// It is gone, its descriptors closed.
    pub const END: u32 = 3;
}

/// Bits of [`Life::flags`].
pub mod life_flag {
    /// It has a controlling terminal.
    pub const TERMINAL: u32 = 1;
    /// The arguments do not end where they were cut off.
    pub const TRUNCATED: u32 = 1 << 1;
}

/// One step of a process's life.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Life {
    /// Time of the step, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// When the process started, likewise; 0 when unknown.
    pub start_ns: u64,
    /// When its parent started, with FORK.
    pub parent_start_ns: u64,
    /// Control group (v2), with EXEC.
    pub cgroup_id: u64,
    /// The executable's own code in memory (`mm_struct.start_code`), with EXEC; 0 when unknown.
    pub text_start: u64,
    /// Its end (`end_code`).
    pub text_end: u64,
    /// Inode of the executable, with EXEC; 0 when unknown.
    pub inode: u64,
    /// Device of its file system, as the kernel encodes it: minor number in the lower 20 bits.
    pub device: u32,
    /// Process id.
    pub tgid: u32,
    /// Its parent, with FORK.
    pub parent: u32,
    /// Real user id, with EXEC.
    pub uid: u32,
    /// [`Step`].
    pub step: u32,
    /// [`life_flag`] bits.
    pub flags: u32,
    /// Bytes of the path behind the head, without its NUL.
    pub path_bytes: u32,
    /// Bytes of NUL-separated arguments behind the path.
    pub argument_bytes: u32,
    /// Name of the process, with FORK of the parent, NUL-padded.
    pub comm: [u32; COMM_LEN / 4],
}

const _: () = {
    assert!(size_of::<Life>() == LIFE_LEN);
    assert!(offset_of!(Life, device) == 56);
    assert!(offset_of!(Life, comm) == 88);
};
