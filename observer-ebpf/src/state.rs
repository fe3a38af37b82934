//! A socket changes state: `inet_sock_set_state`, in any context. Births are noted in every plan; where no
//! function may be hooked, closes are seen here as well.

use core::ffi::c_void;

use aya_ebpf::{helpers::bpf_ktime_get_boot_ns, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use observer_ebpf::{Note, Role, candidate, note_flag};

use crate::{
    close,
    frozen::setting,
    notes,
    read::Direct,
    report,
    scratch::story,
    sock::{Sock, tcp_state},
};

/// `inet_sock_set_state(sk, oldstate, newstate)`; `sk_state` still is the old one.
#[inline(always)]
pub(crate) fn on_set_state(ctx: &BtfTracePointContext, sk: *const c_void, old: u32, new: u32) {
    let (old, new) = (old as u8, new as u8);
    if new == tcp_state::ESTABLISHED {
        on_established(sk, old);
    } else if setting!(close_hook) == 0 {
        match new {
            tcp_state::CLOSE => on_closed(ctx, sk, old),
            tcp_state::FIN_WAIT1 | tcp_state::LAST_ACK => on_fin_sent(ctx, sk, old),
            _ => {}
        }
    }
}

#[inline(always)]
fn on_established(sk: *const c_void, old: u8) {
    let role = match old {
        tcp_state::SYN_SENT => Role::CLIENT,
        tcp_state::SYN_RECV => Role::SERVER,
        _ => return,
    };
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    // SAFETY: helper without arguments.
    let born_ns = unsafe { bpf_ktime_get_boot_ns() };
    notes::put(sock.key(), &Note { born_ns, role, ..notes::BLANK });
}

/// The state becomes CLOSE at once: a close that resets, a disconnect, a received RST, or the last step of an
/// orderly end. Only a close has the lock, both directions shut down, a file still, and no error.
#[inline(always)]
fn on_closed(ctx: &BtfTracePointContext, sk: *const c_void, old: u8) {
    if matches!(old, tcp_state::CLOSE | tcp_state::LISTEN | tcp_state::LAST_ACK | tcp_state::CLOSING) {
        return;
    }
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    if !sock.owned() || !sock.shut_down() || sock.failed() || sock.in_repair() {
        return;
    }
    if sock.orphaned() {
        // Behind the point of no return of `__tcp_close()`, in FIN_WAIT2: TCP_LINGER2, or time-wait begins.
        if old == tcp_state::FIN_WAIT2 && sock.skips_fin_wait2() {
            close::begin(sock.key(), old, candidate::LINGER2);
        } else if old == tcp_state::FIN_WAIT2 {
            count_clean(ctx, &sock, old);
        }
        return;
    }
    let mut candidates = if sock.unread() > 0 { candidate::UNREAD } else { 0 };
    if sock.lingers_zero() {
        candidates |= candidate::LINGER_ZERO;
    }
    if candidates == 0 {
        // The queue is purged already; nothing else brings a close here.
        candidates = candidate::PHANTOM;
    }
    debug!(ctx, "closed from state {}: candidates {}", old, candidates);
    close::begin(sock.key(), old, candidates);
}

/// A FIN goes out: a close, or a half-close whose caller is likely to close next.
#[inline(always)]
fn on_fin_sent(ctx: &BtfTracePointContext, sk: *const c_void, old: u8) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    if !sock.owned() {
        return;
    }
    if sock.shut_down() {
        count_clean(ctx, &sock, old);
    } else {
        report::remember(story::STATE, &sock);
    }
}

/// Once a socket: a close may pass through FIN_WAIT1 and FIN_WAIT2 before it returns.
#[inline(always)]
fn count_clean(ctx: &BtfTracePointContext, sock: &Sock<Direct>, old: u8) {
    if let Some(note) = notes::get(sock.key()) {
        if note.flags & note_flag::COUNTED != 0 {
            return;
        }
        note.flags |= note_flag::COUNTED;
    } else {
        notes::put(sock.key(), &Note { flags: note_flag::COUNTED, ..notes::BLANK });
    }
    report::clean_close(ctx, story::STATE, sock, notes::get(sock.key()).as_deref(), old);
}
