//! People that connections refer to: see [`observer_ebpf::PersonSet`].

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use observer_ebpf::{PERSON_WAYS, Person, PersonRef, PersonSet, person_hash, person_tag};

use crate::{frozen::setting, maps::PEOPLE, scratch::Run, sets::position, verifier::opaque};

/// Words of a [`Person`].
const WORDS: usize = size_of::<Person>() / 8;

/// A reference to whoever is in a run's memory.
#[inline(always)]
pub(crate) fn refer(run: Run) -> PersonRef {
    PersonRef::of(refer_to_person(run.0))
}

/// Brings whoever is referred to into a run's memory, as the recalled one; false when he was forgotten.
#[inline(always)]
pub(crate) fn recall(run: Run, who: PersonRef) -> bool {
    who.tag != 0 && recall_person(run.0, who.number()) != 0
}

/// A place of a set.
///
/// # Safety
/// The set is a value of the map.
#[inline(always)]
unsafe fn place(set: *mut PersonSet, way: u64) -> *mut Person {
    // SAFETY: as the caller promises; the number is below that of the places.
    unsafe { (&raw mut (*set).people).cast::<Person>().add((opaque(way) & (PERSON_WAYS as u64 - 1)) as usize) }
}

/// 0 for the same person.
///
/// # Safety
/// Both are in values of maps.
#[inline(always)]
unsafe fn differ(one: *const Person, other: *const Person) -> u64 {
    let mut all = 0;
    for word in 0..WORDS {
        // SAFETY: as the caller promises; a person is made of such words.
        all |= unsafe { read_volatile(one.cast::<u64>().add(word)) ^ read_volatile(other.cast::<u64>().add(word)) };
    }
    all
}

/// [`refer`] as a global function: see [`crate::tell`]. 0 is nobody.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn refer_to_person(run: u32) -> u64 {
    let Some(scratch) = Run(run).memory() else { return 0 };
    let (who, last) = (&raw const scratch.who, &raw mut scratch.last);
    // SAFETY: this run's memory.
    if unsafe { differ(who, last) } == 0 {
        return scratch.last_ref.number();
    }
    // SAFETY: as above.
    let hash = unsafe { person_hash(&*who, setting!(owner_seed)) };
    let (index, tag) = (hash as u32 & setting!(people_mask), person_tag(hash));
    let Some(set) = PEOPLE.get_ptr_mut(index) else { return 0 };
    // SAFETY: from a lookup.
    unsafe {
        let mut way = position(&raw const (*set).tags, tag);
        if way == PERSON_WAYS as u64 {
            way = position(&raw const (*set).tags, 0);
        }
        if way == PERSON_WAYS as u64 {
            way = bpf_ktime_get_boot_ns(); // anybody's
        }
        let way = opaque(way) & (PERSON_WAYS as u64 - 1);
        let place = place(set, way);
        let place_tag = (&raw mut (*set).tags).cast::<u32>().add(way as usize);
        if differ(place, who) != 0 || read_volatile(place_tag) != tag {
            write_volatile(place_tag, 0);
            *place = *who;
            write_volatile(place_tag, tag);
        }
        *last = *who;
        scratch.last_ref = PersonRef { place: index * PERSON_WAYS as u32 + way as u32, tag };
        scratch.last_ref.number()
    }
}

/// [`recall`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn recall_person(run: u32, who: u64) -> u32 {
    let who = PersonRef::of(who);
    let Some(scratch) = Run(run).memory() else { return 0 };
    let Some(set) = PEOPLE.get_ptr_mut(who.place / PERSON_WAYS as u32) else { return 0 };
    // SAFETY: from a lookup. What is copied is looked at afterwards: somebody may be writing there.
    unsafe { scratch.recalled = *place(set, u64::from(who.place)) };
    let hash = person_hash(&scratch.recalled, setting!(owner_seed));
    let is_he = person_tag(hash) == who.tag && hash as u32 & setting!(people_mask) == who.place / PERSON_WAYS as u32;
    u32::from(is_he)
}
