//! What the programs report of a socket: a finding, an orderly close, a closer to be remembered.

use aya_ebpf::{EbpfContext, helpers::bpf_ktime_get_boot_ns};
use observer_ebpf::{Cause, Note, Owner, Record, owner_flag, person_flag, present, record_flag};

use crate::{
    churn, count, filter,
    frozen::{offset, setting},
    owners::{self, Ends},
    read::Reader,
    scratch::{self, Run},
    sock::{Sock, tcp_state},
    submit::submit,
    task,
    tell::tell,
};

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

/// Counts the act in a run's memory, and reports it if the filters agree.
#[inline(always)]
pub(crate) fn send(ctx: &impl EbpfContext, run: Run) {
    if tell(run)
        && let Some(scratch) = run.memory()
    {
        submit(ctx, &scratch.record, scratch.by_current != 0);
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
    send(ctx, scratch.run());
    scratch.release();
}

/// Remembers the running task as the closer of the connection; after a half-close, as its owner. `closes` tells a close
/// from a half-close.
#[inline(always)]
pub(crate) fn remember<R: Reader>(story: u32, sock: &Sock<R>, note: Option<&mut Note>, old_state: u8, closes: bool) {
    if !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story) else { return };
    scratch.record.endpoints = sock.endpoints();
    owners::approach(scratch.run());
    let owner = &mut scratch.owner;
    *owner = Owner::BLANK;
    if let Some(note) = note.as_deref() {
        owner.born_ns = note.born_ns;
        owner.role = note.role;
    }
    owner.segments = sock.tcp_field::<u32>(offset!(data_segs_in)).unwrap_or(0) as u16;
    // SAFETY: helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    // At its entry a close has not shut anything down yet.
    owner.closed_ns = if closes || sock.shut_down() { now_ns } else { 0 };
    if sock.has_backlog() {
        owner.flags = owner_flag::BACKLOG;
    }
    task::current(scratch.run());
    if scratch.who.flags & person_flag::KTHREAD != 0
        && let Some(place) = owners::place_of(scratch.run(), Ends::Record)
    {
        // A kernel thread closes what a process has left to it: io_uring, sockets in flight over unix sockets.
        let known = place.owner();
        place.is_over(now_ns);
        known.closed_ns = scratch.owner.closed_ns;
        known.segments = scratch.owner.segments;
        known.flags = scratch.owner.flags;
        scratch.who = *place.who();
    } else {
        owners::put(scratch.run(), now_ns);
    }
    if setting!(churn) != 0 && closes {
        churn::closed(scratch.run(), sock, note, old_state, false);
    }
    scratch.release();
}
