//! The record of one finding in the ring buffer: a fixed head, then `stack_bytes` of user stack.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::note::Endpoints;

/// TASK_COMM_LEN of the kernel.
pub const COMM_LEN: usize = 16;

/// Most frames of a user stack that a record can hold.
pub const MAX_STACK_DEPTH: u32 = 64;

/// Length of the head in bytes.
pub const RECORD_LEN: usize = 168;

/// What a record is about.
pub struct Kind;

impl Kind {
    /// A close that carries the finding itself.
    pub const CLOSE: u8 = 1;
    /// A RST outside a close.
    pub const RESET: u8 = 2;
}

/// How the process of a record was found.
pub struct Attribution;

impl Attribution {
    /// Nobody is known.
    pub const NONE: u8 = 0;
    /// The running task did it.
    pub const CURRENT: u8 = 1;
    /// The task remembered as the closer of these endpoints.
    pub const CLOSER: u8 = 2;
}

/// Bits of [`Record::flags`]: facts.
pub mod record_flag {
    /// The peer's FIN had arrived.
    pub const FIN_RECEIVED: u32 = 1;
    /// This host sent a RST.
    pub const RESET_SENT: u32 = 1 << 1;
    /// The process was exiting.
    pub const EXITING: u32 = 1 << 2;
    /// Prediction and the kernel's reason disagreed.
    pub const DISAGREEMENT: u32 = 1 << 3;
}

/// Bits of [`Record::present`]: which optional values were read.
pub mod present {
    /// `reason`
    pub const REASON: u32 = 1;
    /// `unread_bytes` and FIN_RECEIVED
    pub const UNREAD: u32 = 1 << 1;
    /// `received_bytes`
    pub const RECEIVED: u32 = 1 << 2;
    /// `sent_bytes`
    pub const SENT: u32 = 1 << 3;
    /// `srtt_us`
    pub const SRTT: u32 = 1 << 4;
    /// `endpoints`
    pub const ENDPOINTS: u32 = 1 << 6;
    /// `old_state`
    pub const STATE: u32 = 1 << 7;
}

/// One finding.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Record {
    /// Time of the finding, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Time the connection was established, likewise; 0 when not seen.
    pub born_ns: u64,
    /// Time of the remembered close, likewise; 0 without one.
    pub closed_ns: u64,
    /// cgroup v2 id of the process; 0 when unknown.
    pub cgroup_id: u64,
    /// Payload bytes received in order (`tcp_sock.bytes_received` without the FIN).
    pub received_bytes: u64,
    /// Payload bytes sent once (`bytes_sent - bytes_retrans`).
    pub sent_bytes: u64,
    /// Addresses, ports and namespace.
    pub endpoints: Endpoints,
    /// Process id (`tgid`); 0 when unknown.
    pub tgid: u32,
    /// Thread id.
    pub pid: u32,
    /// Real user id.
    pub uid: u32,
    /// Bytes in the receive queue that the application never read.
    pub unread_bytes: u32,
    /// Smoothed round-trip time, µs.
    pub srtt_us: u32,
    /// `enum sk_rst_reason`, a number of the running kernel.
    pub reason: u32,
    /// [`record_flag`] bits.
    pub flags: u32,
    /// [`present`] bits.
    pub present: u32,
    /// Name of the process (its leader), NUL-padded.
    pub comm: [u32; COMM_LEN / 4],
    /// Name of the thread, NUL-padded.
    pub thread: [u32; COMM_LEN / 4],
    /// [`Kind`].
    pub kind: u8,
    /// [`crate::Cause`].
    pub cause: u8,
    /// [`crate::Source`].
    pub source: u8,
    /// [`Attribution`].
    pub attribution: u8,
    /// [`crate::Role`].
    pub role: u8,
    /// TCP state before the act (`include/net/tcp_states.h`).
    pub old_state: u8,
    /// Keeps the next field aligned.
    pub padding: u16,
    /// Bytes of user stack after the head, eight a frame; negative errno when it could not be taken.
    pub stack_bytes: i32,
    /// Keeps the size a multiple of eight.
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<Record>() == RECORD_LEN);
    assert!(offset_of!(Record, endpoints) == 48);
    assert!(offset_of!(Record, tgid) == 88);
    assert!(offset_of!(Record, comm) == 120);
    assert!(offset_of!(Record, kind) == 152);
    assert!(offset_of!(Record, stack_bytes) == 160);
};
