//! Filters. Each is one constant test when it is off; unless the filters may change: then their values are in a map.

use core::ptr::read_volatile;

use aya_ebpf::maps::lpm_trie::Key;
use observer_ebpf::{Cause, Endpoints, Filters, PREFIX_BITS, Person, SELECTION_SLOTS, person_flag};

use crate::{
    frozen::setting,
    maps::{COMMS, GENERATION, NETNS, PEERS, PIDS, PORTS, SELECTIONS, UIDS},
};

/// The filters in force.
#[derive(Clone, Copy)]
struct InForce {
    /// Their number; it begins the keys of their values.
    set: u32,
    /// Which of them are on.
    on: u32,
}

impl InForce {
    #[inline(always)]
    fn is_on(self, filter: u32) -> bool {
        self.on & filter != 0
    }
}

#[inline(always)]
fn in_force() -> InForce {
    if setting!(reloadable) == 0 {
        return InForce { set: 0, on: setting!(selection.filters) };
    }
    let word = match GENERATION.get_ptr(0) {
        // SAFETY: a value of the map; user space writes the whole word at once.
        Some(word) => unsafe { read_volatile(word) },
        None => 0,
    };
    InForce { set: word as u32, on: (word >> 32) as u32 }
}

/// Number of the filters in force.
#[inline(always)]
pub(crate) fn generation() -> u32 {
    in_force().set
}

/// One value of the selection in force.
macro_rules! selection {
    ($field:ident) => {
        if setting!(reloadable) == 0 {
            setting!(selection.$field)
        } else {
            match SELECTIONS.get_ptr(generation() % SELECTION_SLOTS) {
                // SAFETY: a value of the map, which nobody writes while its generation is in force.
                Some(selection) => unsafe { (*selection).$field },
                None => 0,
            }
        }
    };
}

/// Children of observed processes are observed.
#[inline(always)]
pub(crate) fn follows_children() -> bool {
    selection!(children) != 0
}

/// Some filter asks who the process is.
#[inline(always)]
pub(crate) fn asks_for_process() -> bool {
    in_force().is_on(Filters::PROCESS)
}

/// The process is observed: every process filter that is on names it.
#[inline(always)]
fn process(filters: InForce, who: &Person) -> bool {
    let set = filters.set;
    if filters.is_on(Filters::PID) && PIDS.get_ptr([set, who.tgid]).is_none() {
        return false;
    }
    if filters.is_on(Filters::UID) && UIDS.get_ptr([set, who.uid]).is_none() {
        return false;
    }
    if filters.is_on(Filters::COMM) && COMMS.get_ptr(named(set, &who.comm)).is_none() {
        return COMMS.get_ptr(named(set, &who.thread)).is_some();
    }
    true
}

#[inline(always)]
fn named(set: u32, name: &[u32; 4]) -> [u32; 5] {
    [set, name[0], name[1], name[2], name[3]]
}

/// Notes in a process's flags whether it is observed, for when it is gone; and by which filters.
#[inline(always)]
pub(crate) fn mark(who: &mut Person) {
    let filters = in_force();
    if process(filters, who) {
        who.flags |= person_flag::OBSERVED;
    }
    who.flags |= person_flag::of_generation(filters.set);
}

/// The process is observed, as was noted. What other filters have noted is asked again; nobody is not observed.
#[inline(always)]
pub(crate) fn observes(who: &Person) -> bool {
    if setting!(reloadable) != 0 && who.tgid != 0 {
        let filters = in_force();
        if who.flags & person_flag::GENERATION != person_flag::of_generation(filters.set) {
            return process(filters, who);
        }
    }
    who.flags & person_flag::OBSERVED != 0
}

/// The cause is reported.
#[inline(always)]
pub(crate) fn cause(cause: u8, unread: u32) -> bool {
    selection!(causes) & Cause::bit(cause) != 0 && unread >= selection!(min_unread)
}

/// The cause is reported only with a story.
#[inline(always)]
pub(crate) fn wants_story(cause: u8) -> bool {
    selection!(storied) & Cause::bit(cause) != 0
}

/// Orderly closes are reported.
#[inline(always)]
pub(crate) fn wants_clean() -> bool {
    selection!(causes) & Cause::bit(Cause::CLEAN) != 0
}

/// The namespace is observed.
#[inline(always)]
pub(crate) fn netns(inode: u32) -> bool {
    names_netns(in_force(), inode)
}

#[inline(always)]
fn names_netns(filters: InForce, inode: u32) -> bool {
    !filters.is_on(Filters::NETNS) || NETNS.get_ptr([filters.set, inode]).is_some()
}

/// The connection is observed.
#[inline(always)]
pub(crate) fn connection(ends: &Endpoints) -> bool {
    let filters = in_force();
    if !names_netns(filters, ends.netns) {
        return false;
    }
    let set = filters.set;
    if filters.is_on(Filters::PORT)
        && PORTS.get_ptr([set, u32::from(ends.local_port)]).is_none()
        && PORTS.get_ptr([set, u32::from(ends.peer_port)]).is_none()
    {
        return false;
    }
    !filters.is_on(Filters::PEER) || PEERS.get(Key::new(PREFIX_BITS, named(set, &ends.peer))).is_some()
}
