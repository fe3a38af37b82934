//! A RST goes out: `tcp_send_reset`. Active resets carry no segment, answers to a segment do.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, helpers::bpf_get_current_pid_tgid, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use observer_ebpf::{Cause, Kind, Note, Record, Source, candidate, note_flag, present, record_flag};

use crate::{
    churn,
    frozen::{self, offset, setting},
    notes, owners,
    read::{Direct, Reader, by_helper},
    report,
    scratch::{self, Run, story},
    segment,
    sock::{Common, Sock, tcp_state},
};

/// What the socket alone says of a RST.
pub(crate) struct Prediction {
    cause: u8,
    /// The running task made it; in a softirq it is a bystander.
    by_current: bool,
    /// There is no connection yet.
    begins: bool,
}

impl Prediction {
    #[inline(always)]
    fn new(cause: u8, by_current: bool) -> Self {
        Self { cause, by_current, begins: false }
    }
}

/// `tcp_send_reset(sk, skb, reason)`: `sk` may be null or a minisocket, `skb` is null for an active reset.
#[inline(always)]
pub(crate) fn on_send_reset(ctx: &BtfTracePointContext, sk: *const c_void, skb: *const c_void, reason: Option<u32>) {
    let Some(scratch) = scratch::take(story::RESET) else { return };
    let record = &mut scratch.record;
    // Hidden from LLVM, which would test both pointers at once: "R4 pointer |= pointer prohibited".
    let active = core::hint::black_box(skb.is_null());
    let prediction = if sk.is_null() {
        if skb.is_null() { None } else { Some(to_nobody(record, skb)) }
    } else if active {
        active_reset(record, sk, reason)
    } else {
        answer(record, sk, skb)
    };
    if let Some(prediction) = prediction {
        if record.old_state == tcp_state::SYN_SENT && !sk.is_null() {
            scratch.connecting = Direct::key(sk);
            scratch.begins = 1;
        }
        conclude(ctx, scratch.run(), &prediction, reason);
        if active && !sk.is_null() {
            if setting!(churn) != 0 && scratch.record.kind == Kind::CLOSE {
                churn::reset(scratch.run(), sk);
            }
            settle(Direct::key(sk), scratch.record.kind);
        }
    }
    scratch.release();
}

/// Weighs the prediction, and sends the finding on its way.
#[inline(always)]
pub(crate) fn conclude(ctx: &impl EbpfContext, run: Run, prediction: &Prediction, reason: Option<u32>) {
    let Some(scratch) = run.memory() else { return };
    let record = &mut scratch.record;
    record.flags |= record_flag::RESET_SENT;
    judge(record, prediction.cause, prediction.by_current, reason);
    debug!(ctx, "reset: predicted {} cause {} reason {}", prediction.cause, record.cause, record.reason);
    if record.cause == Cause::LISTENER_CLOSE
        && let Some(count) = owners::unaccepted(bpf_get_current_pid_tgid())
    {
        record.unaccepted = count;
        record.present |= present::UNACCEPTED;
    }
    scratch.begins |= u32::from(prediction.begins);
    scratch.by_current = u32::from(prediction.by_current);
    report::send(ctx, run);
}

/// `tcp_send_active_reset()`: inside a close, a disconnect, a kill, a listener's end or a timer.
#[inline(always)]
fn active_reset(record: &mut Record, sk: *const c_void, reason: Option<u32>) -> Option<Prediction> {
    let sock = Sock::<Direct>::new(sk)?;
    let note = notes::get(sock.key());
    report::describe(record, &sock, note.as_deref());
    let state = sock.common.state();
    let closing = note.as_deref().is_some_and(|note| note.candidates != 0);
    record.old_state = match note.as_deref() {
        Some(note) if closing => note.old_state,
        _ if state == tcp_state::CLOSE => 0, // the state before it is not known here
        _ => state,
    };
    report::output_left(record, &sock);
    if let Some(next) = sock.tcp_field::<u32>(offset!(snd_nxt)) {
        record.reset_seq = next;
        record.present |= present::RESET_SEQ;
    }
    Some(predict(&sock, state, note.as_deref(), record.unread_bytes, reason))
}

/// Cause of an active reset from the socket alone.
#[inline(always)]
fn predict(sock: &Sock<Direct>, state: u8, note: Option<&Note>, unread: u32, reason: Option<u32>) -> Prediction {
    if !sock.owned() {
        return from_softirq(sock, state);
    }
    let closing = note.is_some_and(|note| note.candidates != 0);
    let cause = if sock.is_subflow() && !closing {
        Cause::MPTCP // a fast close: `__tcp_close()` has no part in it
    } else if state != tcp_state::CLOSE {
        Cause::ADMIN_KILL // `tcp_abort()` alone resets before it changes the state
    } else if sock.orphaned() {
        if sock.skips_fin_wait2() { Cause::LINGER2_TIMEOUT } else { Cause::OUT_OF_MEMORY }
    } else if !sock.shut_down() {
        Cause::DISCONNECT
    } else {
        let candidates = match note {
            Some(note) if note.closer == bpf_get_current_pid_tgid() => note.candidates,
            _ if unread > 0 => candidate::UNREAD,
            _ if sock.lingers_zero() => candidate::LINGER_ZERO,
            _ => 0,
        };
        of_candidates(candidates, reason)
    };
    Prediction::new(cause, true)
}

/// No process works on the socket: the end of a listener, or a timer.
#[inline(always)]
fn from_softirq(sock: &Sock<Direct>, state: u8) -> Prediction {
    if sock.is_subflow() {
        return Prediction::new(Cause::MPTCP, false);
    }
    if sock.orphaned() {
        // `tcp_keepalive_timer()` ends an orphan in FIN_WAIT2, `tcp_out_of_resources()` any other.
        let waited = state == tcp_state::FIN_WAIT2;
        let cause = if waited { Cause::LINGER2_TIMEOUT } else { Cause::OUT_OF_MEMORY };
        return Prediction::new(cause, false);
    }
    if state == tcp_state::CLOSE && !sock.has_file() {
        // `inet_csk_listen_stop()` resets children that never had a file, in the context of the listener's closer.
        // A softirq may do the same to a child that comes a moment too late.
        let by_current = owners::unaccepted(bpf_get_current_pid_tgid()).is_some();
        return Prediction::new(Cause::LISTENER_CLOSE, by_current);
    }
    let cause = if sock.keeps_alive() { Cause::KEEPALIVE_TIMEOUT } else { Cause::UNCLASSIFIED };
    Prediction::new(cause, false)
}

/// The first candidate in the kernel's order that the kernel's reason allows; the first one where it allows none.
#[inline(always)]
fn of_candidates(candidates: u8, reason: Option<u32>) -> u8 {
    let mut causes = 0;
    if candidates & candidate::UNREAD != 0 {
        causes |= Cause::bit(Cause::CLOSE_UNREAD);
    }
    if candidates & candidate::PHANTOM != 0 {
        causes |= Cause::bit(Cause::CLOSE_PHANTOM);
    }
    if candidates & candidate::LINGER_ZERO != 0 {
        causes |= Cause::bit(Cause::LINGER_ZERO);
    }
    if candidates & candidate::LINGER2 != 0 {
        causes |= Cause::bit(Cause::LINGER2_TIMEOUT);
    }
    let allowed = causes & reason.map_or(0, frozen::reason_causes);
    // Cause codes stand in the order of the kernel's tests.
    let first = if allowed != 0 { allowed } else { causes };
    if first == 0 { Cause::DISCONNECT } else { lowest(first) }
}

/// Number of the lowest bit set, below 32.
#[inline(always)]
fn lowest(mask: u32) -> u8 {
    mask.trailing_zeros() as u8
}

/// Sets prediction against the kernel's reason: the reason wins, a disagreement is kept.
#[inline(always)]
fn judge(record: &mut Record, predicted: u8, by_current: bool, reason: Option<u32>) {
    let mask = reason.map_or(0, frozen::reason_causes);
    if let Some(reason) = reason {
        record.reason = reason;
        record.present |= present::REASON;
    }
    record.cause = predicted;
    if mask & Cause::bit(predicted) != 0 {
        record.source = Source::BOTH;
    } else if mask != 0 {
        if predicted != Cause::UNCLASSIFIED {
            record.flags |= record_flag::DISAGREEMENT;
        }
        record.source = Source::KERNEL;
        // A reason that fits several causes names none.
        record.cause = if mask & (mask - 1) == 0 { lowest(mask) } else { Cause::UNCLASSIFIED };
    }
    const CLOSES: u32 = Cause::bit(Cause::CLOSE_UNREAD)
        | Cause::bit(Cause::CLOSE_PHANTOM)
        | Cause::bit(Cause::LINGER_ZERO)
        | Cause::bit(Cause::LINGER2_TIMEOUT);
    record.kind = if by_current && CLOSES & Cause::bit(record.cause) != 0 { Kind::CLOSE } else { Kind::RESET };
    if record.old_state != 0 {
        record.present |= present::STATE;
    }
}

/// After an active reset: a close was reported and will end; a disconnected socket lives on and may connect again.
#[inline(always)]
fn settle(key: u64, kind: u8) {
    if kind == Kind::RESET {
        notes::forget(key);
    } else if let Some(note) = notes::get_or_make(key) {
        note.flags |= note_flag::REPORTED;
    }
}

/// A RST that answers a segment, with some socket at hand.
#[inline(always)]
fn answer(record: &mut Record, sk: *const c_void, skb: *const c_void) -> Option<Prediction> {
    let common = Common::<Direct>::new(sk);
    let state = common.state();
    if state == tcp_state::LISTEN {
        // A listener has no peer: the segment has. It has lost its device already, the listener knows the namespace.
        to_nobody(record, skb);
        record.endpoints.netns = Sock::<Direct>::new(sk)?.common.netns();
        return Some(Prediction { cause: Cause::BAD_SEGMENT, by_current: false, begins: true });
    }
    if matches!(state, tcp_state::TIME_WAIT | tcp_state::NEW_SYN_RECV) {
        return Some(by_helper!(to_minisocket(record, sk, skb)));
    }
    let sock = Sock::<Direct>::new(sk)?;
    report::describe(record, &sock, notes::get(sock.key()).as_deref());
    segment::describe::<Direct>(record, skb);
    if !sock.refuses_data() {
        record.old_state = state;
        if state != tcp_state::SYN_SENT {
            report::output_left(record, &sock);
        }
        return Some(Prediction::new(Cause::BAD_SEGMENT, false));
    }
    // `tcp_done()` has set the state to CLOSE already. Only in FIN_WAIT2 is the FIN acknowledged.
    let waited = sock.written_since(offset!(snd_una)) == Some(0);
    record.old_state = if waited { tcp_state::FIN_WAIT2 } else { tcp_state::FIN_WAIT1 };
    report::output_left(record, &sock);
    let skipped = waited && sock.orphaned() && sock.skips_fin_wait2();
    let cause = if skipped { Cause::LINGER2_TIMEOUT } else { Cause::DATA_AFTER_CLOSE };
    Some(Prediction::new(cause, false))
}

/// A RST that answers a segment to a minisocket: the remains of a connection, or the beginning of one.
#[inline(always)]
pub(crate) fn to_minisocket<R: Reader>(record: &mut Record, sk: *const c_void, skb: *const c_void) -> Prediction {
    let common = Common::<R>::new(sk);
    record.old_state = common.state();
    record.endpoints = common.endpoints(common.num());
    record.present |= present::ENDPOINTS;
    segment::describe::<R>(record, skb);
    let late = record.old_state == tcp_state::TIME_WAIT;
    let cause = if late { Cause::DATA_AFTER_TIMEWAIT } else { Cause::BAD_SEGMENT };
    Prediction { cause, by_current: false, begins: !late }
}

/// [`without_socket`] from the tracepoint: by the helper, where lockdown lets it, as in [`crate::process`].
#[inline(always)]
fn to_nobody(record: &mut Record, skb: *const c_void) -> Prediction {
    by_helper!(without_socket(record, skb))
}

/// A RST that answers a segment for which there is no connection.
#[inline(always)]
pub(crate) fn without_socket<R: Reader>(record: &mut Record, skb: *const c_void) -> Prediction {
    if segment::endpoints::<R>(record, skb) {
        record.present |= present::ENDPOINTS;
    }
    record.endpoints.netns = segment::netns::<R>(skb);
    segment::describe::<R>(record, skb);
    Prediction { cause: Cause::NO_SOCKET, by_current: false, begins: segment::is_syn::<R>(skb) }
}
