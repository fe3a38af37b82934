//! Who holds or held a connection, by its two ends: what happens to it in a softirq is that process's story, never the
//! interrupted task's.

use observer_ebpf::{Attribution, Endpoints, ListenerKey, Owner, Person, Record, Stat, owner_flag};

use crate::{
    count::stat,
    maps::{CONNECTING, LISTENERS, OWNERS, UNACCEPTED},
    sock::mapped,
};

/// Whoever owns this connection, or closed it.
#[inline(always)]
pub(crate) fn of(ends: &Endpoints) -> Option<&'static mut Owner> {
    // SAFETY: plain words without meaning to the language. A reader that meets a rewrite sees some words of the owner
    // before, of the same ends.
    OWNERS.get_ptr_mut(ends).map(|owner| unsafe { &mut *owner })
}

/// The process of this record has closed the connection.
#[inline(always)]
pub(crate) fn closed_by(record: &Record) {
    if let Some(owner) = of(&record.endpoints) {
        owner.who = record.process;
        owner.closed_ns = record.time_ns;
        owner.flags &= !owner_flag::LISTENER;
    }
}

/// Remembers an owner. An entry of the same ends is written over: a new one would cost several times as much, for the map
/// has to find one that it can do without.
#[inline(always)]
pub(crate) fn put(ends: &Endpoints, owner: &Owner) {
    if let Some(known) = of(ends) {
        *known = *owner;
    } else if OWNERS.insert(ends, owner, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// These ends belong to another connection now.
#[inline(always)]
pub(crate) fn forget(ends: &Endpoints) {
    let _ = OWNERS.remove(ends);
}

/// What an entry says of its process.
#[inline(always)]
pub(crate) fn attribution(owner: &Owner) -> u8 {
    if owner.closed_ns != 0 {
        Attribution::CLOSER
    } else if owner.flags & owner_flag::LISTENER != 0 {
        Attribution::LISTENER
    } else {
        Attribution::OWNER
    }
}

/// Remembers who connects a socket: its ends are not complete yet.
#[inline(always)]
pub(crate) fn connecting(key: u64, who: &Person) {
    if CONNECTING.insert(key, who, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// Who connects this socket.
#[inline(always)]
pub(crate) fn connector_of(key: u64) -> Option<&'static Person> {
    // SAFETY: written whole, under the lock of that socket.
    CONNECTING.get_ptr(key).map(|who| unsafe { &*who })
}

/// The socket connects no more.
#[inline(always)]
pub(crate) fn connected(key: u64) {
    let _ = CONNECTING.remove(key);
}

/// Remembers who listens on a port.
#[inline(always)]
pub(crate) fn listening(key: &ListenerKey, who: &Person) {
    if LISTENERS.insert(key, who, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// Who listens on the local end of a connection: on its address, or on every address.
#[inline(always)]
pub(crate) fn listener_of(ends: &Endpoints) -> Option<&'static Person> {
    let port = u32::from(ends.local_port);
    let on = |local| listener(&ListenerKey { local, netns: ends.netns, port });
    on(ends.local).or_else(|| on(mapped(0))).or_else(|| on([0; 4]))
}

#[inline(always)]
fn listener(key: &ListenerKey) -> Option<&'static Person> {
    // SAFETY: written whole; a reader that meets a rewrite sees another listener of the same port.
    LISTENERS.get_ptr(key).map(|who| unsafe { &*who })
}

/// Remembers how many connections a listener leaves behind that the task closes.
#[inline(always)]
pub(crate) fn leaves_unaccepted(task: u64, count: u32) {
    if UNACCEPTED.insert(task, count, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// How many connections the listener left behind that this task closes.
#[inline(always)]
pub(crate) fn unaccepted(task: u64) -> Option<u32> {
    // SAFETY: one aligned word.
    UNACCEPTED.get_ptr(task).map(|count| unsafe { *count })
}
