//! Connections that open and end, counted by process and peer: nothing is told of one, but of many of them that a
//! process makes and closes again and again. Connections older than the observer do not count.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use observer_ebpf::{ABSENT, Churn, Endpoints, Note, Pair, Person, Role, SHORT_LIFE_US, Stat, note_flag, person_flag};

use crate::{
    count::{add, stat},
    filter,
    frozen::offset,
    maps::{CHURN, CHURN_WINDOW},
    notes,
    read::{Direct, Reader},
    scratch::{self, End, Run, Scratch},
    sock::{Sock, tcp_state},
    task,
};

/// The process in a run's memory has a new connection, whose ends are in its record.
#[inline(always)]
pub(crate) fn opened(run: Run, role: u8) {
    count_opened(run.0, u32::from(role));
}

/// [`opened`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_opened(run: u32, role: u32) -> u32 {
    let Some(scratch) = Run(run).memory() else { return 0 };
    if let Some(churn) = counter(scratch, role as u8) {
        // SAFETY: from a lookup.
        unsafe { add(&raw mut (*churn).opened, 1) };
    }
    0
}

/// The process in a run's memory closes a connection, whose ends are in its record; once a connection.
#[inline(always)]
pub(crate) fn closed<R: Reader>(run: Run, sock: &Sock<R>, note: Option<&mut Note>, old_state: u8, flagged: bool) {
    let (Some(note), Some(scratch)) = (note, run.memory()) else { return };
    if note.flags & note_flag::CHURNED != 0 || note.born_ns == 0 {
        return;
    }
    note.flags |= note_flag::CHURNED;
    let peer_first =
        matches!(old_state, tcp_state::CLOSE_WAIT | tcp_state::LAST_ACK) || note.flags & note_flag::PEER_FIRST != 0;
    let segments = if note.role == Role::CLIENT { offset!(data_segs_out) } else { offset!(data_segs_in) };
    scratch.end = End {
        sent_bytes: sock.sent_bytes().unwrap_or(0),
        received_bytes: sock.received_bytes().unwrap_or(0),
        lifetime_us: scratch.owner.closed_ns.saturating_sub(note.born_ns) / 1_000,
        srtt_us: sock.srtt_us().unwrap_or(0),
        segments: sock.tcp_field(segments).unwrap_or(ABSENT),
        role: u32::from(note.role),
        // Where accepting is seen by reading, a server that never reads was not seen.
        unseen: u32::from(note.flags & note_flag::OWNED == 0),
        flagged: u32::from(flagged),
        peer_first: u32::from(peer_first),
    };
    count_closed(run.0);
}

/// [`closed`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_closed(run: u32) -> u32 {
    let Some(scratch) = Run(run).memory() else { return 0 };
    let Some(churn) = counter(scratch, scratch.end.role as u8) else { return 0 };
    let end = &scratch.end;
    // SAFETY: from a lookup.
    unsafe {
        add(&raw mut (*churn).closed, 1);
        add(&raw mut (*churn).lifetime_us, end.lifetime_us);
        // An addition is dearer than a test.
        if end.unseen != 0 {
            add(&raw mut (*churn).opened, 1);
        }
        if end.flagged != 0 {
            add(&raw mut (*churn).flagged, 1);
        }
        if end.peer_first != 0 {
            add(&raw mut (*churn).peer_first, 1);
        }
        if end.sent_bytes != 0 {
            add(&raw mut (*churn).sent_bytes, end.sent_bytes);
        }
        if end.received_bytes != 0 {
            add(&raw mut (*churn).received_bytes, end.received_bytes);
        }
        if end.lifetime_us < SHORT_LIFE_US {
            add(&raw mut (*churn).short_lived, 1);
        }
        if end.srtt_us > 0 {
            add(&raw mut (*churn).srtt_us, u64::from(end.srtt_us));
            add(&raw mut (*churn).measured, 1);
        }
        if end.segments <= 1 {
            add(&raw mut (*churn).single, 1);
        }
    }
    0
}

/// A close that reset the connection, as it was reported.
#[inline(always)]
pub(crate) fn reset(run: Run, sk: *const c_void) {
    let (Some(sock), Some(scratch)) = (Sock::<Direct>::new(sk), run.memory()) else { return };
    let record = &scratch.record;
    // A kernel thread closes what a process has left to it.
    let by_kernel = record.process.flags & person_flag::KTHREAD != 0;
    scratch.who = if by_kernel { record.owner } else { record.process };
    scratch.owner.closed_ns = record.time_ns;
    closed(run, &sock, notes::get(sock.key()), record.old_state, true);
}

/// A close by the running task that nothing is to be remembered of: the connection is past all states.
#[inline(always)]
pub(crate) fn ended<R: Reader>(story: u32, sock: &Sock<R>) {
    if !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story) else { return };
    scratch.record.endpoints = sock.endpoints();
    // SAFETY: helper without arguments.
    scratch.owner.closed_ns = unsafe { bpf_ktime_get_boot_ns() };
    task::current(scratch.run());
    closed(scratch.run(), sock, notes::get(sock.key()), tcp_state::CLOSE, false);
    scratch.release();
}

/// The counters of the process in `scratch` and the peer of its record, made on first use; None when they are not asked
/// for, or there is no room.
#[inline(always)]
fn counter(scratch: &mut Scratch, role: u8) -> Option<*mut Churn> {
    let who = &scratch.who;
    if !filter::observes(who) || !filter::connection(&scratch.record.endpoints) {
        return None;
    }
    fill(&mut scratch.pair, &scratch.record.endpoints, who, role);
    let mut found = CHURN.get_ptr_mut(&scratch.pair);
    if found.is_none() {
        // All else stays zero, as the map was made.
        scratch.churn.who = scratch.who;
        // BPF_NOEXIST: two CPUs may come here at once, and the second must not wipe the first one's count.
        let _ = CHURN.insert(&scratch.pair, &scratch.churn, 1);
        found = CHURN.get_ptr_mut(&scratch.pair);
    }
    if found.is_none() {
        stat(Stat::CHURN_FULL);
    }
    found
}

#[inline(always)]
fn fill(pair: &mut Pair, ends: &Endpoints, who: &Person, role: u8) {
    pair.start_ns = who.start_ns;
    pair.peer = ends.peer;
    pair.tgid = who.tgid;
    pair.netns = ends.netns;
    pair.port = if role == Role::CLIENT { ends.peer_port } else { ends.local_port };
    pair.role = role;
    pair.window = CHURN_WINDOW.get(0).copied().unwrap_or(0) as u8;
    pair.padding = 0;
}
