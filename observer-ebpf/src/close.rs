//! A socket is closed: `__tcp_close()` at its entry, and `tcp_destroy_sock` where an act ends.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, helpers::bpf_get_current_pid_tgid, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use observer_ebpf::{Cause, Note, candidate, note_flag, present};

use crate::{
    churn, count,
    frozen::setting,
    notes,
    read::{Direct, Reader},
    report,
    scratch::{self, story},
    sock::{Sock, tcp_state},
};

/// Entry of `__tcp_close(sk, timeout)`: the receive queue and the old state exist only here. What the close will
/// do is predicted and noted; `reset` reads the note when the RST goes out.
#[inline(always)]
pub(crate) fn on_close<R: Reader, C: EbpfContext>(ctx: &C, sk: *const c_void) {
    let Some(sock) = Sock::<R>::new(sk) else { return };
    let state = sock.common.state();
    // A listener's children are reset one by one; SYN_SENT ends without a packet.
    if matches!(state, tcp_state::LISTEN | tcp_state::SYN_SENT) || sock.in_repair() {
        return;
    }
    if state == tcp_state::CLOSE {
        // Past all states, so no RST comes. What is left unread is told at `tcp_destroy_sock`.
        if sock.unread() == 0 {
            ended_in_order(ctx, story::CLOSE, &sock);
        }
        return;
    }
    let candidates = sock.candidates(state);
    debug!(ctx, "close: state {} unread {} candidates {}", state, sock.unread(), candidates);
    if candidates != 0 {
        return begin(sock.key(), state, candidates);
    }
    // When this close sends the FIN, `state` remembers its closer.
    if !matches!(state, tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT) {
        report::remember(story::CLOSE, &sock, notes::get(sock.key()), state, true);
    }
    count_clean(ctx, story::CLOSE, &sock, notes::get(sock.key()), state);
}

/// The close of a socket that is past all states: in order, if a FIN came and nothing failed.
#[inline(always)]
fn ended_in_order<R: Reader>(ctx: &impl EbpfContext, story: u32, sock: &Sock<R>) {
    let note = notes::get(sock.key());
    let flags = note.as_deref().map_or(0, |note| note.flags);
    if sock.fin_received() && flags & note_flag::FAILED == 0 {
        count_clean(ctx, story, sock, note, tcp_state::CLOSE);
        if setting!(churn) != 0 && flags & note_flag::CHURNED == 0 {
            churn::ended(story, sock);
        }
    }
}

/// Counts an orderly close, once a socket: it may pass several hooks.
#[inline(always)]
pub(crate) fn count_clean<R: Reader>(
    ctx: &impl EbpfContext,
    story: u32,
    sock: &Sock<R>,
    note: Option<&mut Note>,
    old_state: u8,
) {
    let mut note = note;
    match note.as_deref_mut() {
        Some(note) if note.flags & note_flag::COUNTED != 0 => return,
        Some(note) => note.flags |= note_flag::COUNTED,
        None => {
            if let Some(note) = notes::make(sock.key()) {
                note.flags = note_flag::COUNTED;
            }
        }
    }
    report::clean_close(ctx, story, sock, note.as_deref(), old_state);
}

/// Notes that the running task closes this socket and may reset the connection.
#[inline(always)]
pub(crate) fn begin(key: u64, old_state: u8, candidates: u8) {
    let closer = bpf_get_current_pid_tgid();
    if let Some(note) = notes::get_or_make(key) {
        note.closer = closer;
        note.old_state = old_state;
        note.candidates = candidates;
    }
}

/// `tcp_destroy_sock(sk)`: the last look at a socket. In the closer's context (the lock is held) it ends the act:
/// data left unread without a RST of ours is told here, since the peer's RST had come first.
#[inline(always)]
pub(crate) fn on_destroy(ctx: &BtfTracePointContext, sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let note = notes::get(sock.key());
    let (flags, candidates, old_state) = match note.as_deref() {
        Some(note) => (note.flags, note.candidates, note.old_state),
        None => (0, 0, 0),
    };
    if flags & note_flag::REPORTED == 0 && !sock.in_repair() {
        if !sock.owned() {
            // A fixed kernel went on in order where an older one would have reset.
            if candidates == candidate::PHANTOM && flags & note_flag::COUNTED == 0 {
                count::act(sock.common.netns(), Cause::CLEAN);
            }
        } else if sock.shut_down() {
            if sock.unread() > 0 {
                left_unread(ctx, &sock, note.as_deref(), old_state);
            } else if setting!(close_hook) == 0 {
                ended_in_order(ctx, story::DESTROY, &sock);
            }
        } else if sock.lingers_zero() {
            // `tcp_disconnect()` takes the shutdown back, and had nothing to reset. No finding, but the kernel counts
            // TCPAbortOnData all the same.
            count::act(sock.common.netns(), Cause::LINGER_ZERO);
        }
    }
    notes::forget(sock.key());
}

#[inline(always)]
fn left_unread(ctx: &BtfTracePointContext, sock: &Sock<Direct>, note: Option<&Note>, old_state: u8) {
    let Some(scratch) = scratch::take(story::DESTROY) else { return };
    report::describe(&mut scratch.record, sock, note);
    scratch.record.cause = Cause::CLOSE_UNREAD;
    scratch.record.old_state = if old_state == 0 { tcp_state::CLOSE } else { old_state };
    scratch.record.present |= present::STATE;
    scratch.by_current = 1;
    report::send(ctx, scratch.run());
    scratch.release();
}
