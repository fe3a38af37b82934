//! A RST goes out: `tcp_send_reset`. Active resets carry no segment, answers to a segment do.

use core::ffi::c_void;

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, programs::BtfTracePointContext};
use observer_ebpf::{Cause, Endpoints, Kind, Note, Source, candidate, note_flag};

use crate::{
    frozen, notes,
    read::Direct,
    report::{self, Finding},
    segment,
    sock::{AF_INET6, Common, Sock, tcp_state},
};

/// `tcp_send_reset(sk, skb, reason)`: `sk` may be null or a minisocket, `skb` is null for an active reset.
#[inline(always)]
pub(crate) fn on_send_reset(ctx: &BtfTracePointContext, sk: *const c_void, skb: *const c_void, reason: Option<u32>) {
    if sk.is_null() {
        if !skb.is_null() {
            without_socket(ctx, skb, reason);
        }
    } else if skb.is_null() {
        active(ctx, sk, reason);
    } else {
        answer(ctx, sk, skb, reason);
    }
}

/// `tcp_send_active_reset()`: inside a close, a disconnect, a kill, a listener's end or a timer.
#[inline(always)]
fn active(ctx: &BtfTracePointContext, sk: *const c_void, reason: Option<u32>) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let state = sock.common.state();
    let note = notes::get(sock.key());
    let unread = sock.unread();
    let (predicted, by_current) = predict(&sock, state, note.as_deref(), unread, reason);
    let mut finding = judge(predicted, reason);
    finding.by_current = by_current;
    finding.unread = unread;
    finding.inet6 = sock.common.family() == AF_INET6;
    finding.old_state = if state == tcp_state::CLOSE { 0 } else { state };
    if let Some(note) = note.as_deref() {
        if note.candidates != 0 {
            finding.old_state = note.old_state;
        }
    }
    report::about_socket(ctx, &sock, note.as_deref(), &finding);
    if let Some(note) = note {
        note.flags |= note_flag::REPORTED;
        if finding.kind == Kind::RESET {
            // A disconnected socket lives on and may connect again.
            *note = notes::BLANK;
        }
    } else if finding.kind == Kind::CLOSE {
        notes::put(sock.key(), &Note { flags: note_flag::REPORTED, ..notes::BLANK });
    }
}

/// Cause of an active reset from the socket alone, and whether the running task made it.
#[inline(always)]
fn predict(sock: &Sock<Direct>, state: u8, note: Option<&Note>, unread: u32, reason: Option<u32>) -> (u8, bool) {
    if !sock.owned() {
        // `inet_csk_listen_stop()` resets children that never had a file, in the context of the listener's closer.
        // Timers work on sockets in any other state.
        if state == tcp_state::CLOSE && !sock.has_file() && !sock.orphaned() {
            return (Cause::LISTENER_CLOSE, true);
        }
        return (Cause::UNCLASSIFIED, false);
    }
    if state != tcp_state::CLOSE {
        return (Cause::ADMIN_KILL, true); // `tcp_abort()` alone resets before it changes the state.
    }
    if sock.orphaned() {
        return (if sock.skips_fin_wait2() { Cause::LINGER2_TIMEOUT } else { Cause::OUT_OF_MEMORY }, true);
    }
    if !sock.shut_down() {
        return (Cause::DISCONNECT, true);
    }
    let mut candidates = match note {
        Some(note) if note.closer == bpf_get_current_pid_tgid() => note.candidates,
        _ => 0,
    };
    if candidates == 0 {
        candidates = if unread > 0 {
            candidate::UNREAD
        } else if sock.lingers_zero() {
            candidate::LINGER_ZERO
        } else {
            return (Cause::DISCONNECT, true);
        };
    }
    (of_candidates(candidates, reason), true)
}

/// The first candidate in the kernel's order, or the first that the kernel's reason allows.
#[inline(always)]
fn of_candidates(candidates: u8, reason: Option<u32>) -> u8 {
    let allowed = match reason.map(frozen::reason_causes) {
        Some(mask) if mask != 0 => mask,
        _ => u32::MAX,
    };
    let fits = |bit: u8, cause: u8| candidates & bit != 0 && allowed & Cause::bit(cause) != 0;
    if fits(candidate::UNREAD, Cause::CLOSE_UNREAD) {
        Cause::CLOSE_UNREAD
    } else if fits(candidate::PHANTOM, Cause::CLOSE_PHANTOM) {
        Cause::CLOSE_PHANTOM
    } else if fits(candidate::LINGER_ZERO, Cause::LINGER_ZERO) {
        Cause::LINGER_ZERO
    } else if fits(candidate::LINGER2, Cause::LINGER2_TIMEOUT) {
        Cause::LINGER2_TIMEOUT
    } else if candidates & candidate::UNREAD != 0 {
        Cause::CLOSE_UNREAD
    } else if candidates & candidate::LINGER_ZERO != 0 {
        Cause::LINGER_ZERO
    } else {
        Cause::CLOSE_PHANTOM
    }
}

/// Sets prediction against the kernel's reason: the reason wins, a disagreement is kept.
#[inline(always)]
fn judge(predicted: u8, reason: Option<u32>) -> Finding {
    let mask = reason.map_or(0, frozen::reason_causes);
    let guessed = predicted != Cause::UNCLASSIFIED;
    let agrees = mask & Cause::bit(predicted) != 0;
    let (cause, source) = if mask == 0 {
        (predicted, Source::PREDICTED)
    } else if agrees && guessed {
        (predicted, Source::BOTH)
    } else if mask & (mask - 1) == 0 {
        (mask.trailing_zeros() as u8, Source::KERNEL)
    } else {
        // The reason fits several causes, and none is the predicted one.
        (Cause::UNCLASSIFIED, Source::KERNEL)
    };
    let closes = matches!(
        cause,
        Cause::CLOSE_UNREAD | Cause::CLOSE_PHANTOM | Cause::LINGER_ZERO | Cause::LINGER2_TIMEOUT
    );
    Finding {
        kind: if closes { Kind::CLOSE } else { Kind::RESET },
        cause,
        source,
        reason,
        reset_sent: true,
        disagreement: mask != 0 && guessed && !agrees,
        by_current: false,
        old_state: 0,
        unread: 0,
        inet6: false,
    }
}

/// A RST that answers a segment, with some socket at hand.
#[inline(always)]
fn answer(ctx: &BtfTracePointContext, sk: *const c_void, skb: *const c_void, reason: Option<u32>) {
    let common = Common::<Direct>::new(sk);
    let state = common.state();
    if state == tcp_state::LISTEN {
        // A listener has no peer: the segment has.
        return without_socket(ctx, skb, reason);
    }
    if matches!(state, tcp_state::TIME_WAIT | tcp_state::NEW_SYN_RECV) {
        let predicted =
            if state == tcp_state::TIME_WAIT { Cause::DATA_AFTER_TIMEWAIT } else { Cause::UNCLASSIFIED };
        let mut finding = judge(predicted, reason);
        finding.kind = Kind::RESET;
        finding.old_state = state;
        finding.inet6 = common.family() == AF_INET6;
        let ends = common.endpoints(common.num());
        return report::about_endpoints(ctx, Some(&ends), ends.netns, &finding);
    }
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let predicted = if sock.orphaned() { Cause::DATA_AFTER_CLOSE } else { Cause::UNCLASSIFIED };
    let mut finding = judge(predicted, reason);
    finding.kind = Kind::RESET;
    finding.unread = sock.unread();
    finding.inet6 = sock.common.family() == AF_INET6;
    report::about_socket(ctx, &sock, notes::get(sock.key()).as_deref(), &finding);
}

/// A RST that answers a segment for which there is no connection.
#[inline(always)]
fn without_socket(ctx: &BtfTracePointContext, skb: *const c_void, reason: Option<u32>) {
    let mut finding = judge(Cause::UNCLASSIFIED, reason);
    finding.kind = Kind::RESET;
    let ends: Option<(Endpoints, bool)> = segment::endpoints(skb);
    match ends {
        Some((ends, inet6)) => {
            finding.inet6 = inet6;
            report::about_endpoints(ctx, Some(&ends), ends.netns, &finding);
        }
        None => report::about_endpoints(ctx, None, segment::netns(skb), &finding),
    }
}
