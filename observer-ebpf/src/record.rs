//! The record of one finding in the ring buffer: a fixed head, `stack_room` bytes for the user stack and, at their end,
//! for the words at its top, then the kernel stack.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::note::{Endpoints, Person};

/// TASK_COMM_LEN of the kernel.
pub const COMM_LEN: usize = 16;

/// Most frames of each stack that a record can hold.
pub const MAX_STACK_DEPTH: u32 = 64;

/// Bytes at the top of the user stack that a record can hold: 32 words. A function of the C library that calls the kernel
/// takes 1 to 4, in glibc 2.41 up to 14; the rest is for libraries without frame pointers between it and the program.
pub const TOP_BYTES: u32 = 256;

/// Length of the head in bytes.
pub const RECORD_LEN: usize = 336;

/// What a record is about.
pub struct Kind;

impl Kind {
    /// A close that carries the finding itself.
    pub const CLOSE: u8 = 1;
    /// A RST outside a close.
    pub const RESET: u8 = 2;
    /// A RST that came in.
    pub const RECEIVED: u8 = 3;
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
    /// The task remembered as the one that connected, accepted or reads.
    pub const OWNER: u8 = 3;
    /// The task remembered as the maker of the listener.
    pub const LISTENER: u8 = 4;
}

/// Bits of [`Record::flags`]: facts.
pub mod record_flag {
    /// The peer's FIN had arrived.
    pub const FIN_RECEIVED: u32 = 1;
    /// This host sent a RST.
    pub const RESET_SENT: u32 = 1 << 1;
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
    /// `unacked_bytes`
    pub const UNACKED: u32 = 1 << 8;
    /// `unsent_bytes`
    pub const UNSENT: u32 = 1 << 9;
    /// `segment_bytes`
    pub const SEGMENT: u32 = 1 << 10;
    /// `reset_seq`
    pub const RESET_SEQ: u32 = 1 << 11;
    /// `unaccepted`
    pub const UNACCEPTED: u32 = 1 << 12;
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
    /// Payload bytes received in order (`tcp_sock.bytes_received` without the FIN).
    pub received_bytes: u64,
    /// Payload bytes sent once (`bytes_sent - bytes_retrans`).
    pub sent_bytes: u64,
    /// Addresses, ports and namespace.
    pub endpoints: Endpoints,
    /// The process, as `attribution` says.
    pub process: Person,
    /// Another process that held the connection.
    pub owner: Person,
    /// The peer's process, when it is of this host and namespace.
    pub counterpart: Person,
    /// Bytes in the receive queue that the application never read.
    pub unread_bytes: u32,
    /// Bytes written that the peer has not acknowledged (`write_seq - snd_una` without the FIN).
    pub unacked_bytes: u32,
    /// Of those, the ones never sent (`write_seq - snd_nxt` without the FIN).
    pub unsent_bytes: u32,
    /// Payload of the segment that a RST answers.
    pub segment_bytes: u32,
    /// Sequence number of the RST; for the RST to a SYN, which has none, the number it acknowledges.
    pub reset_seq: u32,
    /// Connections that the closed listener had not accepted.
    pub unaccepted: u32,
    /// Smoothed round-trip time, µs.
    pub srtt_us: u32,
    /// `enum sk_rst_reason`, a number of the running kernel.
    pub reason: u32,
    /// [`record_flag`] bits.
    pub flags: u32,
    /// [`present`] bits.
    pub present: u32,
    /// [`Kind`].
    pub kind: u8,
    /// [`crate::Cause`].
    pub cause: u8,
    /// [`crate::Source`].
    pub source: u8,
    /// [`Attribution`] of `process`.
    pub attribution: u8,
    /// [`Attribution`] of `owner`.
    pub owner_attribution: u8,
    /// [`Attribution`] of `counterpart`.
    pub counterpart_attribution: u8,
    /// [`crate::Role`].
    pub role: u8,
    /// TCP state before the act.
    pub old_state: u8,
    /// Bytes of user stack behind the head, eight a frame, the innermost first; negative errno when it could not be
    /// taken.
    pub stack_bytes: i32,
    /// The same of the kernel stack, behind `stack_room`.
    pub kernel_stack_bytes: i32,
    /// Bytes between the head and the kernel stack, whatever the user stack took of them.
    pub stack_room: u32,
    /// Bytes of them, the last ones, that hold what lies on top of the user stack, from the stack pointer up: [`TOP_BYTES`],
    /// or 0 when that was not read.
    pub top_bytes: u32,
}

const _: () = {
    assert!(size_of::<Record>() == RECORD_LEN);
    assert!(offset_of!(Record, endpoints) == 40);
    assert!(offset_of!(Record, process) == 80);
    assert!(offset_of!(Record, unread_bytes) == 272);
    assert!(offset_of!(Record, kind) == 312);
};
