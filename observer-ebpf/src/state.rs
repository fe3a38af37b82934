//! A socket changes state: `inet_sock_set_state`, in any context. Births are seen here in every plan; where
//! no function may be hooked, closes are as well.

use core::ffi::c_void;

use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use observer_ebpf::{candidate, note_flag};

use crate::{
    birth, close,
    frozen::setting,
    notes,
    read::Direct,
    report,
    scratch::story,
    sock::{Common, Sock, tcp_state},
};

/// `inet_sock_set_state(sk, oldstate, newstate)`; `sk_state` still is the old one.
#[inline(always)]
pub(crate) fn on_set_state(ctx: &BtfTracePointContext, sk: *const c_void, old: u32, new: u32) {
    let (old, new) = (old as u8, new as u8);
    match new {
        tcp_state::SYN_SENT => birth::on_connect(sk),
        tcp_state::LISTEN => birth::on_listen(sk),
        tcp_state::ESTABLISHED => birth::on_established(sk, old),
        tcp_state::CLOSE if old == tcp_state::LISTEN => birth::on_listener_closed(sk),
        tcp_state::CLOSE => on_closed(ctx, sk, old),
        tcp_state::FIN_WAIT1 | tcp_state::FIN_WAIT2 | tcp_state::LAST_ACK | tcp_state::CLOSING => {
            on_closing(ctx, sk, old, new);
        }
        _ => {}
    }
}

/// The state becomes CLOSE at once: a close that resets, a disconnect, a received RST, or the last step of an
/// orderly end. Only a close has the lock, both directions shut down, a file still, and no error.
#[inline(always)]
fn on_closed(ctx: &BtfTracePointContext, sk: *const c_void, old: u8) {
    if matches!(old, tcp_state::CLOSE | tcp_state::SYN_SENT) {
        return;
    }
    // Most are the last step of an orderly end, in a softirq.
    let common = Common::<Direct>::new(sk);
    if !common.failed() && !common.owned() {
        return;
    }
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    if common.failed() {
        // `sk_err` is set before the state: a received RST, a timeout, a kill.
        if let Some(note) = notes::get_or_make(sock.key()) {
            note.flags |= note_flag::FAILED;
        }
        return;
    }
    if setting!(close_hook) != 0 || !sock.shut_down() || sock.in_repair() {
        return;
    }
    if sock.orphaned() {
        // Behind the point of no return of `__tcp_close()`, in FIN_WAIT2: TCP_LINGER2, or time-wait begins.
        if old == tcp_state::FIN_WAIT2 && sock.skips_fin_wait2() {
            close::begin(sock.key(), old, candidate::LINGER2);
        }
        return;
    }
    if old == tcp_state::FIN_WAIT2 && sock.fin_received() {
        return; // a receiver meets the peer's FIN in its backlog
    }
    let mut candidates = if sock.unread() > 0 { candidate::UNREAD } else { 0 };
    if sock.lingers_zero() {
        candidates |= candidate::LINGER_ZERO;
    }
    if candidates == 0 {
        if matches!(old, tcp_state::LAST_ACK | tcp_state::CLOSING) {
            return; // a receiver meets the last ACK in its backlog
        }
        // The queue is purged already; nothing else brings a close here.
        candidates = candidate::PHANTOM;
    }
    debug!(ctx, "closed from state {}: candidates {}", old, candidates);
    close::begin(sock.key(), old, candidates);
}

/// A FIN goes out: a close, or a half-close whose caller is likely to close next; in either case late data is its
/// doing. A state that "changes" to itself is the close of a socket that was half-closed before (`tcp_close_state()`).
#[inline(always)]
fn on_closing(ctx: &BtfTracePointContext, sk: *const c_void, old: u8, new: u8) {
    let sends_fin = matches!(old, tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT | tcp_state::SYN_RECV);
    if !sends_fin && old != new {
        return;
    }
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    if !sock.owned() {
        return;
    }
    let mut note = notes::get(sock.key());
    // What an older kernel would have reset, this one closes in order.
    let (spared, counted) = match note.as_deref_mut() {
        Some(note) => {
            if old == tcp_state::CLOSE_WAIT {
                note.flags |= note_flag::PEER_FIRST;
            }
            (setting!(close_hook) != 0 && note.candidates == candidate::PHANTOM, note.flags & note_flag::COUNTED != 0)
        }
        None => (false, false),
    };
    if setting!(close_hook) != 0 {
        if !sends_fin && !spared {
            return; // `close` has seen it
        }
        report::remember(story::STATE, &sock, note.as_deref_mut(), old, spared || counted);
        if spared {
            close::count_clean(ctx, story::STATE, &sock, note, old);
        }
        return;
    }
    // A close never sends a FIN with data unread or a linger time of zero: that is a shutdown.
    let in_order = sock.shut_down() && sock.unread() == 0 && !sock.lingers_zero();
    let closes = in_order && !(old == tcp_state::FIN_WAIT2 && sock.skips_fin_wait2());
    report::remember(story::STATE, &sock, note.as_deref_mut(), old, closes);
    if closes {
        close::count_clean(ctx, story::STATE, &sock, note, old);
    }
}
