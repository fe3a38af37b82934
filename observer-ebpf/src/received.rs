//! A RST came in: `tcp_receive_reset`. The tracepoint fires for local decisions too, which are not told.

use core::ffi::c_void;

use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use observer_ebpf::{Cause, Kind, owner_flag, present};

use crate::{
    frozen::offset,
    notes,
    owners::{self, Ends},
    read::Direct,
    report,
    scratch::{self, Run, Scratch, story},
    sock::{Sock, tcp_state},
};

/// `tcp_receive_reset(sk)`, at the entry of `tcp_reset()`: nothing is purged yet.
#[inline(always)]
pub(crate) fn on_receive_reset(ctx: &BtfTracePointContext, sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let Some(scratch) = scratch::take(story::RECEIVED) else { return };
    let state = sock.common.state();
    report::describe(&mut scratch.record, &sock, notes::get(sock.key()).as_deref());
    if !is_local(scratch.run(), &sock, state) {
        describe(ctx, scratch, &sock, state);
        report::send(ctx, scratch.run());
    }
    scratch.release();
}

/// `tcp_rcv_state_process()` calls `tcp_reset()` as well when data meets a receiver that was shut down, and then sends
/// a RST itself. Such a segment was counted just before; a RST carries none.
#[inline(always)]
fn is_local(run: Run, sock: &Sock<Direct>, state: u8) -> bool {
    const CLOSED_HERE: [u8; 4] = [tcp_state::FIN_WAIT1, tcp_state::FIN_WAIT2, tcp_state::CLOSING, tcp_state::LAST_ACK];
    if !CLOSED_HERE.contains(&state) || !sock.refuses_data() {
        return false;
    }
    let Some(segments) = sock.tcp_field::<u32>(offset!(data_segs_in)) else { return true };
    // Nobody remembered: the RST that follows a local decision is told in any case, and a received one only hits
    // what was closed here.
    owners::of(run, Ends::Record)
        .is_none_or(|owner| segments as u16 != owner.segments || owner.flags & owner_flag::BACKLOG != 0)
}

#[inline(always)]
fn describe(ctx: &BtfTracePointContext, scratch: &mut Scratch, sock: &Sock<Direct>, state: u8) {
    let refused = state == tcp_state::SYN_SENT;
    let record = &mut scratch.record;
    record.kind = Kind::RECEIVED;
    record.cause = if refused { Cause::CONNECTION_REFUSED } else { Cause::RESET_BY_PEER };
    record.old_state = state;
    record.present |= present::STATE;
    if refused {
        // Its RST has no sequence number of its own.
        if let Some(next) = sock.tcp_field::<u32>(offset!(snd_nxt)) {
            record.reset_seq = next;
            record.present |= present::RESET_SEQ;
        }
    } else {
        report::output_left(record, sock);
        record.reset_seq = sock.next_expected();
        record.present |= present::RESET_SEQ;
    }
    debug!(ctx, "reset received in state {}", state);
    scratch.connecting = if refused { sock.key() } else { 0 };
    scratch.begins = u32::from(refused);
}
