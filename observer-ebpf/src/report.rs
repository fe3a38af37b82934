//! A finding on its way out: counted, filtered, attributed, copied into the ring with the user stack behind it.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_stack, bpf_ktime_get_boot_ns},
};
use observer_ebpf::{Attribution, Cause, Closer, Note, RECORD_LEN, Record, Stat, Total, present, record_flag};

use crate::{
    count, filter,
    frozen::{offset, setting},
    maps::EVENTS,
    notes,
    read::Reader,
    scratch::{self, Scratch},
    sock::Sock,
    task,
};

const BPF_F_USER_STACK: u64 = 1 << 8;
const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 1 << 1;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// What a full socket tells of its connection.
#[inline(always)]
pub(crate) fn describe<R: Reader>(record: &mut Record, sock: &Sock<R>, note: Option<&Note>) {
    record.endpoints = sock.endpoints();
    record.present |= present::ENDPOINTS | present::UNREAD;
    record.unread_bytes = sock.unread();
    let fin = sock.fin_received();
    if fin {
        record.flags |= record_flag::FIN_RECEIVED;
    }
    if let Some(received) = sock.tcp_field::<u64>(offset!(bytes_received)) {
        record.received_bytes = received.saturating_sub(u64::from(fin));
        record.present |= present::RECEIVED;
    }
    if let (Some(sent), Some(again)) =
        (sock.tcp_field::<u64>(offset!(bytes_sent)), sock.tcp_field::<u64>(offset!(bytes_retrans)))
    {
        record.sent_bytes = sent.saturating_sub(again);
        record.present |= present::SENT;
    }
    if let Some(srtt) = sock.tcp_field::<u32>(offset!(srtt_us)) {
        record.srtt_us = srtt >> 3; // kept in eighths of a microsecond
        record.present |= present::SRTT;
    }
    if let Some(note) = note {
        record.born_ns = note.born_ns;
        record.role = note.role;
    }
}

/// Counts the act, and reports it if the filters agree.
#[inline(always)]
pub(crate) fn send(ctx: &impl EbpfContext, scratch: &mut Scratch) {
    // LLVM must not carry over what it knows of the record, or the verifier would not forget it.
    let scratch = core::hint::black_box(scratch);
    let by_current = scratch.by_current != 0;
    let record = &mut scratch.record;
    let total = count::total(record.endpoints.netns, record.cause);
    if let Some(total) = total {
        // SAFETY: from a lookup.
        unsafe {
            count::add(&raw mut (*total).acts, 1);
            count::add(&raw mut (*total).resets, u64::from((record.flags / record_flag::RESET_SENT) & 1));
            count::add(&raw mut (*total).unread_bytes, u64::from(record.unread_bytes));
        }
    }
    if record.flags & record_flag::DISAGREEMENT != 0 {
        count::stat(Stat::DISAGREEMENTS);
    }
    if !filter::cause(record.cause, record.unread_bytes) || !filter::connection(&record.endpoints) {
        return;
    }
    if by_current {
        task::current(&mut scratch.who);
        if !filter::process(&scratch.who) {
            return;
        }
        record.attribution = Attribution::CURRENT;
    } else if let Some(closer) = notes::closer_of(&record.endpoints) {
        // Closers passed the process filters when they were remembered.
        record.attribution = Attribution::CLOSER;
        record.closed_ns = closer.closed_ns;
        // The note of the socket, if it still is one, went with `tcp_done()`.
        record.born_ns = closer.born_ns;
        record.role = closer.role as u8;
        scratch.who = *closer;
    } else if filter::asks_for_process() {
        count::stat(Stat::UNATTRIBUTED);
        return;
    } else {
        scratch.who = NOBODY;
    }
    let who = &scratch.who;
    record.cgroup_id = who.cgroup_id;
    record.tgid = who.tgid;
    record.pid = who.pid;
    record.uid = who.uid;
    record.comm = who.comm;
    record.thread = who.thread;
    record.flags |= who.flags & record_flag::EXITING;
    // SAFETY: helper without arguments.
    record.time_ns = unsafe { bpf_ktime_get_boot_ns() };
    submit(ctx, record, total, by_current);
}

const NOBODY: Closer = Closer {
    closed_ns: 0,
    born_ns: 0,
    cgroup_id: 0,
    tgid: 0,
    pid: 0,
    uid: 0,
    flags: 0,
    comm: [0; 4],
    thread: [0; 4],
    role: 0,
    padding: 0,
};

/// Offers the record to the ring. A failed reservation is counted under its namespace and cause.
#[inline(always)]
fn submit(ctx: &impl EbpfContext, record: &Record, total: Option<*mut Total>, by_current: bool) {
    // A task that is exiting has given up its memory: there is no user stack to take.
    let with_stack = setting!(stack_depth) > 0 && by_current && record.flags & record_flag::EXITING == 0;
    let written = if with_stack { write_with_stack(ctx, record) } else { write(record) };
    if let Some(total) = total {
        // SAFETY: from a lookup.
        unsafe {
            count::add(&raw mut (*total).submitted, 1);
            if !written {
                count::add(&raw mut (*total).lost, 1);
            }
        }
    }
}

// Two functions, each with its own reservation, null check and submission: verifiers before 6.12 lose track of a
// reservation whose null check LLVM has merged with another ("Unreleased reference").

#[inline(always)]
fn write(record: &Record) -> bool {
    let Some(mut bytes) = EVENTS.reserve_bytes(RECORD_LEN, 0) else { return false };
    // SAFETY: the reservation is RECORD_LEN bytes, aligned to eight.
    unsafe { bytes.as_mut_ptr().cast::<Record>().write(*record) };
    bytes.submit(wake());
    true
}

#[inline(always)]
fn write_with_stack(ctx: &impl EbpfContext, record: &Record) -> bool {
    let stack_bytes = 8 * setting!(stack_depth);
    let Some(mut bytes) = EVENTS.reserve_bytes(RECORD_LEN + stack_bytes as usize, 0) else { return false };
    let start = bytes.as_mut_ptr();
    // SAFETY: the reservation is RECORD_LEN bytes, aligned to eight, and room for the stack behind them.
    unsafe {
        start.cast::<Record>().write(*record);
        let taken = bpf_get_stack(ctx.as_ptr(), start.add(RECORD_LEN).cast(), stack_bytes, BPF_F_USER_STACK);
        addr_of_mut!((*start.cast::<Record>()).stack_bytes).write(taken as i32);
    }
    bytes.submit(wake());
    true
}

/// Waking the reader costs more than everything else here, so it is left to its own clock until much waits.
#[inline(always)]
fn wake() -> u64 {
    let limit = u64::from(setting!(wake_bytes));
    if limit == 0 {
        0 // The kernel wakes a reader that has caught up.
    } else if EVENTS.query(BPF_RB_AVAIL_DATA) >= limit {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    }
}

/// An orderly close: counted, reported on request.
#[inline(always)]
pub(crate) fn clean_close<R: Reader>(
    ctx: &impl EbpfContext,
    story: u32,
    sock: &Sock<R>,
    note: Option<&Note>,
    old_state: u8,
) {
    if setting!(causes) & Cause::bit(Cause::CLEAN) == 0 {
        return count::act(sock.common.netns(), Cause::CLEAN);
    }
    let Some(scratch) = scratch::take(story) else { return };
    describe(&mut scratch.record, sock, note);
    scratch.record.cause = Cause::CLEAN;
    scratch.record.old_state = old_state;
    scratch.record.present |= present::STATE;
    scratch.by_current = 1;
    send(ctx, scratch);
    scratch.release();
}

/// Remembers the running task as the closer of the connection, if it is observed.
#[inline(always)]
pub(crate) fn remember<R: Reader>(story: u32, sock: &Sock<R>, note: Option<&Note>) {
    let Some(scratch) = scratch::take(story) else { return };
    scratch.record.endpoints = sock.endpoints();
    scratch.who.born_ns = 0;
    scratch.who.role = 0;
    scratch.who.padding = 0;
    if let Some(note) = note {
        scratch.who.born_ns = note.born_ns;
        scratch.who.role = u32::from(note.role);
    }
    let scratch = core::hint::black_box(scratch);
    if filter::netns(scratch.record.endpoints.netns) {
        task::current(&mut scratch.who);
        if filter::process(&scratch.who) {
            notes::remember_closer(&scratch.record.endpoints, &scratch.who);
        } else {
            // Whoever had closed an earlier connection of these ends has nothing to do with this one.
            notes::forget_closer(&scratch.record.endpoints);
        }
    }
    scratch.release();
}
