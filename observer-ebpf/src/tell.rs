//! Whether a finding is told, and whose it is: the act is counted, the filters are asked, owner and peer are looked up.
//!
//! All of it is one global function: the verifier walks it once a program, for any argument, and not anew on each path of the
//! program that leads here. Such a function takes numbers and gives a number, and it finds what it works on by the number of
//! a run's memory. Whoever calls one must have no reference to that memory as a parameter: LLVM would take it for certain that the
//! call leaves the memory alone.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use observer_ebpf::{Attribution, Cause, Endpoints, Kind, Record, Stat, owner_flag, person_flag, present, record_flag};

use crate::{
    count, filter, notes,
    owners::{self, Ends, Found, Place},
    scratch::Run,
    task,
};

/// Counts the act in a run's memory and completes its record; whether it is reported.
#[inline(always)]
pub(crate) fn tell(run: Run) -> bool {
    tell_finding(run.0) != 0
}

/// [`tell`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tell_finding(run: u32) -> u32 {
    let run = Run(run);
    let Some(scratch) = run.memory() else { return 0 };
    let (by_current, connecting, begins) = (scratch.by_current != 0, scratch.connecting, scratch.begins != 0);
    let record = &raw mut scratch.record;
    // SAFETY: this run's memory; each reference ends before another function works on it.
    let record = || unsafe { &mut *record };
    count(record());
    // SAFETY: helper without arguments.
    record().time_ns = unsafe { bpf_ktime_get_boot_ns() };
    let found =
        if begins { Found::NOBODY } else { of_this_connection(record().born_ns, owners::find(run, Ends::Record)) };
    let told = story(record(), found.place());
    if by_current && filter::netns(record().endpoints.netns) {
        current(run, found);
    }
    let cause = record().cause;
    if !filter::cause(cause, record().unread_bytes) || filter::wants_story(cause) && !told {
        return 0;
    }
    if !filter::connection(&record().endpoints) {
        return 0;
    }
    // What nobody has accepted yet, or was seen to, is its listener's; whoever acts on it himself has accepted it.
    let begun = !begins && cause != Cause::NO_SOCKET && connecting == 0;
    let others = !by_current || cause == Cause::ADMIN_KILL;
    if (begun || cause == Cause::BAD_SEGMENT) && others && record().owner_attribution == Attribution::NONE {
        listener(record());
    }
    let known = if by_current {
        true
    } else if connecting != 0 {
        connector(run, connecting)
    } else {
        move_owner(record())
    };
    let observed =
        if known { filter::observes(&record().process) || filter::observes(&record().owner) } else { unattributed() };
    if !observed {
        return 0;
    }
    if record().process.tgid == record().owner.tgid {
        record().owner_attribution = Attribution::NONE;
    }
    if !begins {
        counterpart(run);
    }
    1
}

/// Forgets an earlier connection of the same ends than the one established then.
#[inline(always)]
fn of_this_connection(born_ns: u64, found: Found) -> Found {
    let Some(place) = found.place() else { return Found::NOBODY };
    if place.owner().precedes(born_ns) {
        place.forget();
        return Found::NOBODY;
    }
    found
}

/// The running task has made the act; a close makes it the closer.
#[inline(always)]
fn current(run: Run, found: Found) {
    task::current(run);
    let Some(scratch) = run.memory() else { return };
    let record = &mut scratch.record;
    record.process = scratch.who;
    record.attribution = Attribution::CURRENT;
    if record.kind == Kind::CLOSE && record.process.flags & person_flag::KTHREAD == 0 {
        if let Some(place) = found.place() {
            place.belongs_to(&record.process, &record.endpoints);
            place.owner().closed_ns = record.time_ns;
        }
    }
}

/// Adds the act to the totals of its namespace and cause.
#[inline(always)]
fn count(record: &Record) {
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
}

/// Takes over what is remembered of the connection, and notes that it has been reset. True for the first RST to a
/// segment that came after a process had closed its end in order.
#[inline(always)]
fn story(record: &mut Record, place: Option<Place>) -> bool {
    let Some(place) = place else { return false };
    let owner = place.owner();
    record.owner = *place.who();
    record.owner_attribution = owners::attribution(owner);
    record.closed_ns = owner.closed_ns;
    if record.born_ns == 0 {
        record.born_ns = owner.born_ns;
        record.role = owner.role;
    }
    let fresh = owner.closed_ns != 0 && owner.flags & (owner_flag::RESET | owner_flag::TOLD) == 0;
    if record.present & present::SEGMENT != 0 {
        owner.flags |= owner_flag::TOLD;
    } else if record.flags & record_flag::RESET_SENT != 0 {
        owner.flags |= owner_flag::RESET;
    }
    if record.cause != Cause::BAD_SEGMENT {
        place.is_over(record.time_ns);
    }
    fresh
}

/// Takes whoever listens on the local end for the owner.
#[inline(always)]
fn listener(record: &mut Record) {
    if let Some(who) = owners::listener_of(&record.endpoints) {
        record.owner = *who;
        record.owner_attribution = Attribution::LISTENER;
    }
}

/// A socket that connects is not in the map of connections yet. Whether its process is known.
#[inline(always)]
fn connector(run: Run, key: u64) -> bool {
    if let Some(note) = notes::get(key)
        && note.connector.tgid != 0
        && let Some(scratch) = run.memory()
    {
        scratch.record.process = note.connector;
        scratch.record.attribution = Attribution::OWNER;
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

/// How long one end is established before the other, at most: the peer of a connection was not closed before.
const HANDSHAKE_NS: u64 = 1_000_000_000;

/// The peer's process, when it is in the same namespace.
#[inline(always)]
fn counterpart(run: Run) {
    let Some(scratch) = run.memory() else { return };
    let ends = &scratch.record.endpoints;
    scratch.mirror = Endpoints {
        local: ends.peer,
        peer: ends.local,
        local_port: ends.peer_port,
        peer_port: ends.local_port,
        netns: ends.netns,
    };
    let beginning_ns = scratch.record.born_ns.saturating_sub(HANDSHAKE_NS);
    let other = owners::find(run, Ends::Mirror);
    let Some(scratch) = run.memory() else { return };
    let record = &mut scratch.record;
    if let Some(place) = other.place()
        && !place.owner().ended_before(beginning_ns)
    {
        record.counterpart = *place.who();
        record.counterpart_attribution = owners::attribution(place.owner());
    } else if is_local(&scratch.mirror)
        && let Some(who) = owners::listener_of(&scratch.mirror)
    {
        record.counterpart = *who;
        record.counterpart_attribution = Attribution::LISTENER;
    }
}

/// The connection's own end is on this host for certain: elsewhere somebody else listens on that port.
#[inline(always)]
fn is_local(ends: &Endpoints) -> bool {
    let loops = ends.local[2] == 0xffff_u32.to_be() && u32::from_be(ends.local[3]) >> 24 == 127;
    loops || ends.local == ends.peer
}
