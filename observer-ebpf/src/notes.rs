//! What is remembered of a socket between hooks, by its address.

use observer_ebpf::{Note, Person, Role, Stat};

use crate::{count::stat, maps::NOTES};

/// Nothing known yet.
pub(crate) const BLANK: Note = Note {
    born_ns: 0,
    closer: 0,
    old_state: 0,
    role: Role::UNKNOWN,
    candidates: 0,
    flags: 0,
    padding: 0,
    connector: Person::NOBODY,
};

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
