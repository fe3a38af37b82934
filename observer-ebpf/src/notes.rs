//! What is remembered between hooks: of a socket by its address, of a closer by the connection's ends.

use observer_ebpf::{Closer, Endpoints, Note, Role, Stat};

use crate::{
    count::stat,
    maps::{CLOSERS, NOTES},
};

/// Nothing known yet.
pub(crate) const BLANK: Note =
    Note { born_ns: 0, closer: 0, old_state: 0, role: Role::UNKNOWN, candidates: 0, flags: 0, padding: 0 };

/// The note of a socket.
#[inline(always)]
pub(crate) fn get(key: u64) -> Option<&'static mut Note> {
    // SAFETY: notes of a socket change under that socket's lock only.
    NOTES.get_ptr_mut(key).map(|note| unsafe { &mut *note })
}

/// Writes a new note.
#[inline(always)]
pub(crate) fn put(key: u64, note: &Note) {
    if NOTES.insert(key, note, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// The socket is gone.
#[inline(always)]
pub(crate) fn forget(key: u64) {
    let _ = NOTES.remove(key);
}

/// Remembers who closed a connection.
#[inline(always)]
pub(crate) fn remember_closer(ends: &Endpoints, closer: &Closer) {
    if CLOSERS.insert(ends, closer, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// These ends belong to another connection now, or to a closer that is not observed.
#[inline(always)]
pub(crate) fn forget_closer(ends: &Endpoints) {
    let _ = CLOSERS.remove(ends);
}

/// Who closed this connection.
#[inline(always)]
pub(crate) fn closer_of(ends: &Endpoints) -> Option<&'static Closer> {
    // SAFETY: values are written whole; a reader that meets a rewrite sees another closer of the same ends.
    CLOSERS.get_ptr(ends).map(|closer| unsafe { &*closer })
}
