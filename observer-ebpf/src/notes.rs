//! What is remembered of a socket between hooks, by its address.

use core::ptr::read_volatile;

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use observer_ebpf::{NOTE_WAYS, Note, NoteSet, Stat, note_set};

use crate::{
    count::{add, stat},
    maps::NOTES,
    sets::position,
    verifier::opaque,
};

/// The number of a note, counted through all sets; see [`crate::owners::Found`].
const NONE: u32 = u32::MAX;

/// How often a place is tried for: each time fails only when another processor wants the same one at the same moment.
const TRIES: usize = 2;

/// The note of a socket.
#[inline(always)]
pub(crate) fn get(key: u64) -> Option<&'static mut Note> {
    note(find_note(key))
}

/// A new note, blank.
#[inline(always)]
pub(crate) fn make(key: u64) -> Option<&'static mut Note> {
    note(make_note(key))
}

/// The note of a socket, a new one if there is none.
#[inline(always)]
pub(crate) fn get_or_make(key: u64) -> Option<&'static mut Note> {
    let found = find_note(key);
    note(if found == NONE { make_note(key) } else { found })
}

/// The socket is gone.
#[inline(always)]
pub(crate) fn forget(key: u64) {
    forget_note(key);
}

#[inline(always)]
fn note(number: u32) -> Option<&'static mut Note> {
    let number = opaque(u64::from(number)) as u32;
    let set = NOTES.get_ptr_mut(number / NOTE_WAYS as u32)?;
    let way = opaque(u64::from(number)) as usize % NOTE_WAYS;
    // SAFETY: from a lookup, and the place is one of the set. Notes of a socket change under that socket's lock only.
    Some(unsafe { &mut *(&raw mut (*set).notes).cast::<Note>().add(way) })
}

/// The place of a key in a set.
///
/// # Safety
/// The set is a value of the map.
#[inline(always)]
unsafe fn place(set: *mut NoteSet, way: usize) -> *mut u64 {
    // SAFETY: as the caller promises; the number is below that of the places.
    unsafe { (&raw mut (*set).keys).cast::<u64>().add(way % NOTE_WAYS) }
}

/// The number of a socket's note, or [`NONE`]. A global function: see [`crate::tell`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn find_note(key: u64) -> u32 {
    let index = note_set(key);
    let Some(set) = NOTES.get_ptr_mut(index) else { return NONE };
    // SAFETY: from a lookup.
    let way = unsafe { position(&raw const (*set).keys, key) };
    if way == NOTE_WAYS as u64 { NONE } else { index * NOTE_WAYS as u32 + way as u32 }
}

/// Makes a note: in an empty place, or in that of another socket when there is none. Gives its number.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn make_note(key: u64) -> u32 {
    let index = note_set(key);
    let Some(set) = NOTES.get_ptr_mut(index) else { return NONE };
    for _ in 0..TRIES {
        // SAFETY: from a lookup.
        let mut way = unsafe { position(&raw const (*set).keys, 0) };
        if way == NOTE_WAYS as u64 {
            // SAFETY: helper without arguments.
            way = unsafe { bpf_ktime_get_boot_ns() };
            stat(Stat::NOTES_FULL);
        }
        let way = opaque(way) as usize % NOTE_WAYS;
        // SAFETY: from a lookup; the place is this socket's once its key is.
        unsafe {
            let place = place(set, way);
            let other = read_volatile(place);
            let change = key.wrapping_sub(other);
            add(place, change);
            if read_volatile(place) == key {
                (&raw mut (*set).notes).cast::<Note>().add(way).write(Note::BLANK);
                return index * NOTE_WAYS as u32 + way as u32;
            }
            add(place, change.wrapping_neg());
        }
    }
    stat(Stat::NOTES_FULL);
    NONE
}

/// [`forget`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn forget_note(key: u64) -> u32 {
    let Some(set) = NOTES.get_ptr_mut(note_set(key)) else { return 0 };
    // SAFETY: from a lookup.
    unsafe {
        let way = position(&raw const (*set).keys, key);
        if way != NOTE_WAYS as u64 {
            add(place(set, opaque(way) as usize), key.wrapping_neg());
        }
    }
    0
}
