//! Filters. Each is one constant test when it is off.

use aya_ebpf::maps::lpm_trie::Key;
use observer_ebpf::{Cause, Endpoints, Filters, PREFIX_BITS, Person};

use crate::{
    frozen::setting,
    maps::{COMMS, NETNS, PEERS, PIDS, PORTS, UIDS},
};

#[inline(always)]
fn on(filter: u32) -> bool {
    setting!(filters) & filter != 0
}

/// Some filter asks who the process is.
#[inline(always)]
pub(crate) fn asks_for_process() -> bool {
    on(Filters::PROCESS)
}

/// The process is observed: every process filter that is on names it.
#[inline(always)]
pub(crate) fn process(who: &Person) -> bool {
    if on(Filters::PID) && PIDS.get_ptr(who.tgid).is_none() {
        return false;
    }
    if on(Filters::UID) && UIDS.get_ptr(who.uid).is_none() {
        return false;
    }
    if on(Filters::COMM) && COMMS.get_ptr(who.comm).is_none() && COMMS.get_ptr(who.thread).is_none() {
        return false;
    }
    true
}

/// The cause is reported.
#[inline(always)]
pub(crate) fn cause(cause: u8, unread: u32) -> bool {
    setting!(causes) & Cause::bit(cause) != 0 && unread >= setting!(min_unread)
}

/// The cause is reported only with a story.
#[inline(always)]
pub(crate) fn wants_story(cause: u8) -> bool {
    setting!(storied) & Cause::bit(cause) != 0
}

/// The namespace is observed.
#[inline(always)]
pub(crate) fn netns(inode: u32) -> bool {
    !on(Filters::NETNS) || NETNS.get_ptr(inode).is_some()
}

/// The connection is observed.
#[inline(always)]
pub(crate) fn connection(ends: &Endpoints) -> bool {
    if !netns(ends.netns) {
        return false;
    }
    if on(Filters::PORT)
        && PORTS.get_ptr(u32::from(ends.local_port)).is_none()
        && PORTS.get_ptr(u32::from(ends.peer_port)).is_none()
    {
        return false;
    }
    !on(Filters::PEER) || PEERS.get(Key::new(PREFIX_BITS, ends.peer)).is_some()
}
