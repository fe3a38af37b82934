//! A socket is closed: `__tcp_close()` at its entry, and `tcp_destroy_sock` where an act ends.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, helpers::bpf_get_current_pid_tgid, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use observer_ebpf::{Cause, Note, candidate, note_flag, present};

use crate::{
    count, notes,
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
    // Past all states: it ended in order if a FIN came; otherwise it never was connected, or was reset, and what that
    // left unread is told at `tcp_destroy_sock`.
    if state == tcp_state::CLOSE && (!sock.fin_received() || sock.unread() > 0) {
        return;
    }
    let candidates = sock.candidates(state);
    debug!(ctx, "close: state {} unread {} candidates {}", state, sock.unread(), candidates);
    if candidates == 0 {
        report::clean_close(ctx, story::CLOSE, &sock, notes::get(sock.key()).as_deref(), state);
    } else {
        begin(sock.key(), state, candidates);
    }
}

/// Notes that the running task closes this socket and may reset the connection.
#[inline(always)]
pub(crate) fn begin(key: u64, old_state: u8, candidates: u8) {
    let closer = bpf_get_current_pid_tgid();
    if let Some(note) = notes::get(key) {
        note.closer = closer;
        note.old_state = old_state;
        note.candidates = candidates;
    } else {
        notes::put(key, &Note { closer, old_state, candidates, ..notes::BLANK });
    }
}

/// `tcp_destroy_sock(sk)`: the last look at a socket. In the closer's context (the lock is held) it ends the act:
/// data left unread without a RST of ours is told here, since the peer's RST had come first.
#[inline(always)]
pub(crate) fn on_destroy(ctx: &BtfTracePointContext, sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let note = notes::get(sock.key());
    let (reported, candidates, old_state) = match note.as_deref() {
        Some(note) => (note.flags & note_flag::REPORTED != 0, note.candidates, note.old_state),
        None => (false, 0, 0),
    };
    if !reported {
        if sock.unread() > 0 && sock.owned() && sock.shut_down() && !sock.in_repair() {
            if let Some(scratch) = scratch::take(story::DESTROY) {
                report::describe(&mut scratch.record, &sock, note.as_deref());
                scratch.record.cause = Cause::CLOSE_UNREAD;
                scratch.record.old_state = if old_state == 0 { tcp_state::CLOSE } else { old_state };
                scratch.record.present |= present::STATE;
                scratch.by_current = 1;
                report::send(ctx, scratch);
                scratch.release();
            }
        } else if candidates != 0 {
            // Nothing had to be reset. No finding, but a linger time of zero counts as TCPAbortOnData all the same.
            let zero = candidates & candidate::LINGER_ZERO != 0;
            if let Some(total) = count::total(sock.common.netns(), if zero { Cause::LINGER_ZERO } else { Cause::CLEAN })
            {
                total.acts += 1;
            }
        }
    }
    if note.is_some() {
        notes::forget(sock.key());
    }
}
