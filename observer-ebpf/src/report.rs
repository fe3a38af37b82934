//! A finding on its way out: counted, filtered, attributed, copied into the ring with the user stack behind it.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_stack, bpf_ktime_get_boot_ns},
};
use observer_ebpf::{
    Attribution, Cause, Endpoints, Kind, Note, Owner, RECORD_LEN, Record, Stacks, Stat, TOP_BYTES, Total, owner_flag,
    person_flag, present, record_flag,
};

use crate::{
    churn, count, filter,
    frozen::{offset, setting},
    maps::EVENTS,
    notes, owners,
    read::Reader,
    scratch::{self, Scratch},
    sock::{Sock, tcp_state},
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
    if sock.fin_received() {
        record.flags |= record_flag::FIN_RECEIVED;
    }
    if let Some(received) = sock.received_bytes() {
        record.received_bytes = received;
        record.present |= present::RECEIVED;
    }
    if let Some(sent) = sock.sent_bytes() {
        record.sent_bytes = sent;
        record.present |= present::SENT;
    }
    if let Some(srtt_us) = sock.srtt_us() {
        record.srtt_us = srtt_us;
        record.present |= present::SRTT;
    }
    if let Some(note) = note {
        record.born_ns = note.born_ns;
        record.role = note.role;
    }
}

/// Bytes that the process wrote and the peer did not acknowledge; the state before the act must be known.
#[inline(always)]
pub(crate) fn output_left<R: Reader>(record: &mut Record, sock: &Sock<R>) {
    // A FIN that is not acknowledged has a number, but is no byte.
    let fin = u32::from(matches!(record.old_state, tcp_state::FIN_WAIT1 | tcp_state::CLOSING | tcp_state::LAST_ACK));
    if let Some(unacked) = sock.written_since(offset!(snd_una)) {
        record.unacked_bytes = unacked.saturating_sub(fin);
        record.present |= present::UNACKED;
    }
    if let Some(unsent) = sock.written_since(offset!(snd_nxt)) {
        record.unsent_bytes = unsent.saturating_sub(fin);
        record.present |= present::UNSENT;
    }
}

/// Counts the act, and reports it if the filters agree.
#[inline(always)]
pub(crate) fn send(ctx: &impl EbpfContext, scratch: &mut Scratch) {
    // LLVM must not carry over what it knows of the record, or the verifier would not forget it.
    let scratch = core::hint::black_box(scratch);
    let by_current = scratch.by_current != 0;
    let connecting = scratch.connecting;
    let record = &mut scratch.record;
    let total = count(record);
    // SAFETY: helper without arguments.
    record.time_ns = unsafe { bpf_ktime_get_boot_ns() };
    let told = if scratch.begins == 0 { story(record, owners::of(&record.endpoints)) } else { false };
    if by_current && filter::netns(record.endpoints.netns) {
        task::current(&mut record.process);
        record.attribution = Attribution::CURRENT;
        // LLVM would test this and the lookup at once, and the verifier lose track of the lookup.
        let closes = record.kind == Kind::CLOSE && record.process.flags & person_flag::KTHREAD == 0;
        if core::hint::black_box(closes) {
            owners::closed_by(record);
        }
    }
    if !filter::cause(record.cause, record.unread_bytes) || filter::wants_story(record.cause) && !told {
        return;
    }
    if !filter::connection(&record.endpoints) {
        return;
    }
    let known = if by_current {
        // Whoever acts on an accepted connection may well be another process than made the listener.
        if record.owner_attribution == Attribution::LISTENER && record.cause != Cause::ADMIN_KILL {
            record.owner_attribution = Attribution::NONE;
            filter::mark_unobserved(&mut record.owner);
        }
        true
    } else if connecting != 0 {
        connector(record, connecting)
    } else {
        move_owner(record)
    };
    let observed =
        if known { filter::observes(&record.process) || filter::observes(&record.owner) } else { unattributed() };
    if !observed {
        return;
    }
    if record.process.tgid == record.owner.tgid {
        record.owner_attribution = Attribution::NONE;
    }
    if scratch.begins == 0 {
        counterpart(record, &mut scratch.mirror);
    }
    submit(ctx, record, total, by_current);
}

/// Adds the act to the totals of its namespace and cause.
#[inline(always)]
fn count(record: &Record) -> Option<*mut Total> {
    let total = count::total(record.endpoints.netns, record.cause);
    if let Some(total) = total {
        // SAFETY: from a lookup.
        unsafe {
            count::add(&raw mut (*total).acts, 1);
            count::add(&raw mut (*total).resets, u64::from((record.flags / record_flag::RESET_SENT) & 1));
            count::add(&raw mut (*total).answers, u64::from((record.present / present::SEGMENT) & 1));
            count::add(&raw mut (*total).unread_bytes, u64::from(record.unread_bytes));
        }
    }
    if record.flags & record_flag::DISAGREEMENT != 0 {
        count::stat(Stat::DISAGREEMENTS);
    }
    total
}

/// Takes over what is remembered of the connection, and notes that it has been reset. True for the first RST to a
/// segment that came after a process had closed its end in order.
#[inline(always)]
fn story(record: &mut Record, owner: Option<&mut Owner>) -> bool {
    let Some(owner) = owner else { return false };
    record.owner = owner.who;
    record.owner_attribution = owners::attribution(owner);
    record.closed_ns = owner.closed_ns;
    if record.born_ns == 0 {
        record.born_ns = owner.born_ns;
        record.role = owner.role as u8;
    }
    let fresh = owner.closed_ns != 0 && owner.flags & (owner_flag::RESET | owner_flag::TOLD) == 0;
    if record.present & present::SEGMENT != 0 {
        owner.flags |= owner_flag::TOLD;
    } else if record.flags & record_flag::RESET_SENT != 0 {
        owner.flags |= owner_flag::RESET;
    }
    fresh
}

/// A socket that connects is not in the map of connections yet. Whether its process is known.
#[inline(always)]
fn connector(record: &mut Record, key: u64) -> bool {
    if let Some(who) = owners::connector_of(key) {
        record.process = *who;
        record.attribution = Attribution::OWNER;
        return true;
    }
    count::stat(Stat::UNKNOWN_OWNERS);
    false
}

/// What happens in a softirq is the owner's story. Whether one is known.
#[inline(always)]
fn move_owner(record: &mut Record) -> bool {
    if record.owner_attribution != Attribution::NONE {
        record.process = record.owner;
        record.attribution = record.owner_attribution;
        return true;
    }
    if record.cause == Cause::BAD_SEGMENT {
        if let Some(who) = owners::listener_of(&record.endpoints) {
            record.process = *who;
            record.attribution = Attribution::LISTENER;
            return true;
        }
    }
    if record.cause != Cause::NO_SOCKET {
        count::stat(Stat::UNKNOWN_OWNERS);
    }
    false
}

/// Whether to report what nobody is known for.
#[inline(always)]
fn unattributed() -> bool {
    if filter::asks_for_process() {
        count::stat(Stat::UNATTRIBUTED);
        return false;
    }
    true
}

/// The peer's process, when it is in the same namespace.
#[inline(always)]
fn counterpart(record: &mut Record, mirror: &mut Endpoints) {
    *mirror = Endpoints {
        local: record.endpoints.peer,
        peer: record.endpoints.local,
        local_port: record.endpoints.peer_port,
        peer_port: record.endpoints.local_port,
        netns: record.endpoints.netns,
    };
    if let Some(other) = owners::of(mirror) {
        record.counterpart = other.who;
        record.counterpart_attribution = owners::attribution(other);
    }
}

/// Whether stacks of a kind are recorded.
#[inline(always)]
fn wants(stacks: u32) -> bool {
    setting!(stack_depth) > 0 && setting!(stacks) & stacks != 0
}

/// Offers the record to the ring. A failed reservation is counted under its namespace and cause.
#[inline(always)]
fn submit(ctx: &impl EbpfContext, record: &Record, total: Option<*mut Total>, by_current: bool) {
    // A task that is exiting has given up its memory: there is no user stack to take.
    let user = wants(Stacks::USER) && by_current && record.process.flags & person_flag::EXITING == 0;
    let written = if user || wants(Stacks::KERNEL) { write_with_stacks(ctx, record, user) } else { write(record) };
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
fn write_with_stacks(ctx: &impl EbpfContext, record: &Record, user: bool) -> bool {
    let stack = 8 * setting!(stack_depth);
    let top_room = if wants(Stacks::USER) && setting!(stack_top) != 0 { TOP_BYTES } else { 0 };
    let user_room = if wants(Stacks::USER) { stack + top_room } else { 0 };
    let kernel_room = if wants(Stacks::KERNEL) { stack } else { 0 };
    let room = RECORD_LEN + (user_room + kernel_room) as usize;
    let Some(mut bytes) = EVENTS.reserve_bytes(room, 0) else { return false };
    let start = bytes.as_mut_ptr();
    let head = start.cast::<Record>();
    // SAFETY: the reservation is RECORD_LEN bytes, aligned to eight, and room for the stacks behind them.
    unsafe {
        head.write(*record);
        addr_of_mut!((*head).stack_room).write(user_room);
        if user {
            let taken = bpf_get_stack(ctx.as_ptr(), start.add(RECORD_LEN).cast(), stack, BPF_F_USER_STACK);
            addr_of_mut!((*head).stack_bytes).write(taken as i32);
            // Frame pointers do not tell who has called a function that has no frame.
            if top_room > 0 && task::copy_stack_top(start.add(RECORD_LEN + stack as usize)) {
                addr_of_mut!((*head).top_bytes).write(top_room);
            }
        }
        if kernel_room > 0 {
            let kernel = start.add(RECORD_LEN + user_room as usize);
            let taken = bpf_get_stack(ctx.as_ptr(), kernel.cast(), kernel_room, 0);
            addr_of_mut!((*head).kernel_stack_bytes).write(taken as i32);
        }
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
    if !filter::wants_clean() {
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

/// Remembers the running task as the closer of the connection; after a half-close, as its owner. `closes` tells a close
/// from a half-close.
#[inline(always)]
pub(crate) fn remember<R: Reader>(story: u32, sock: &Sock<R>, old_state: u8, closes: bool) {
    if !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story) else { return };
    let note = notes::get(sock.key());
    scratch.record.endpoints = sock.endpoints();
    let owner = &mut scratch.owner;
    owner.born_ns = 0;
    owner.role = 0;
    if let Some(note) = note.as_deref() {
        owner.born_ns = note.born_ns;
        owner.role = u32::from(note.role);
    }
    owner.flags = 0;
    owner.padding = 0;
    owner.segments = sock.tcp_field(offset!(data_segs_in)).unwrap_or(0);
    // At its entry a close has not shut anything down yet.
    // SAFETY: helper without arguments.
    owner.closed_ns = if closes || sock.shut_down() { unsafe { bpf_ktime_get_boot_ns() } } else { 0 };
    if sock.has_backlog() {
        owner.flags = owner_flag::BACKLOG;
    }
    let scratch = core::hint::black_box(scratch);
    task::current(&mut scratch.owner.who);
    if scratch.owner.who.flags & person_flag::KTHREAD != 0
        && let Some(known) = owners::of(&scratch.record.endpoints)
    {
        // A kernel thread closes what a process has left to it: io_uring, sockets in flight over unix sockets.
        known.closed_ns = scratch.owner.closed_ns;
        known.segments = scratch.owner.segments;
        known.flags = scratch.owner.flags;
        scratch.owner.who = known.who;
    } else {
        owners::put(&scratch.record.endpoints, &scratch.owner);
    }
    if setting!(churn) != 0 && closes {
        churn::closed(scratch, sock, note, old_state, false);
    }
    scratch.release();
}
