//! Who holds or held a connection, by its two ends: what happens to it in a softirq is that process's story, never the
//! interrupted task's.

use core::ptr::{read_volatile, write_volatile};

use observer_ebpf::{Attribution, Endpoints, ListenerKey, Owner, OwnerSet, Person, Stat, WAYS, age, check, hash, tag};

use crate::{
    count::stat,
    frozen::setting,
    maps::{LISTENERS, OWNERS, UNACCEPTED},
    scratch::Run,
    sets::position,
    sock::mapped,
    verifier::opaque,
};

/// Where the owner of a connection is kept.
pub(crate) struct Place {
    tag: *mut u32,
    age: *mut u32,
    owner: *mut Owner,
    who: *mut Person,
}

impl Place {
    /// The owner.
    #[inline(always)]
    pub(crate) fn owner(&self) -> &'static mut Owner {
        // SAFETY: in a value of the map; plain words without meaning to the language. A reader that meets a rewrite sees some
        // words of another owner: see `observer_ebpf::OwnerSet`.
        unsafe { &mut *self.owner }
    }

    /// Who that is.
    #[inline(always)]
    pub(crate) fn who(&self) -> &'static Person {
        // SAFETY: as above.
        unsafe { &*self.who }
    }

    /// Somebody else is the owner.
    #[inline(always)]
    pub(crate) fn belongs_to(&self, who: &Person, ends: &Endpoints) {
        // SAFETY: as above.
        unsafe { *self.who = *who };
        self.owner().check = check(ends, who);
    }

    /// Nobody's any more.
    #[inline(always)]
    pub(crate) fn forget(&self) {
        // SAFETY: as above.
        unsafe {
            write_volatile(self.tag, 0);
            self.age.write(0);
        }
    }

    /// The connection is over: its place may be wanted for another.
    #[inline(always)]
    pub(crate) fn is_over(&self, now_ns: u64) {
        // SAFETY: as above.
        unsafe { self.age.write(age(now_ns, false)) };
    }
}

/// The place that can be spared best.
///
/// # Safety
/// The set is a value of the map.
#[inline(always)]
unsafe fn spared(set: *const OwnerSet) -> u64 {
    let mut least = i64::MAX;
    for way in 0..WAYS {
        // SAFETY: as the caller promises.
        let age = unsafe { read_volatile(&raw const (*set).ages[way]) };
        let candidate = i64::from(age) << 3 | way as i64;
        let less = candidate.wrapping_sub(least);
        // All bits where the candidate is less.
        least = least.wrapping_add(less & opaque((less >> 63) as u64) as i64);
    }
    least as u64
}

/// A place of a set.
///
/// # Safety
/// The set is a value of the map.
#[inline(always)]
unsafe fn place(set: *mut OwnerSet, way: u64) -> Place {
    let way = (opaque(way) & (WAYS as u64 - 1)) as usize;
    // SAFETY: as the caller promises; the number is below that of the places.
    unsafe {
        Place {
            tag: (&raw mut (*set).tags).cast::<u32>().add(way),
            age: (&raw mut (*set).ages).cast::<u32>().add(way),
            owner: (&raw mut (*set).owners).cast::<Owner>().add(way),
            who: (&raw mut (*set).people).cast::<Person>().add(way),
        }
    }
}

/// What of a run's memory is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Ends {
    /// The connection in its record.
    Record,
    /// Its mirror.
    Mirror,
}

/// The number of a place, counted through all sets. Unlike a [`Place`] it may be carried past a branch: LLVM tests two
/// conditions at once where it can, and the verifier would not know any more that a pointer was found.
#[derive(Clone, Copy)]
pub(crate) struct Found(u32);

impl Found {
    /// Nobody is remembered.
    pub(crate) const NOBODY: Self = Self(u32::MAX);

    /// The place.
    #[inline(always)]
    pub(crate) fn place(self) -> Option<Place> {
        // There are not so many sets that nobody could be in one.
        let number = opaque(u64::from(self.0)) as u32;
        let set = OWNERS.get_ptr_mut(number / WAYS as u32)?;
        // SAFETY: from a lookup.
        Some(unsafe { place(set, u64::from(number)) })
    }
}

/// Looks for the owner of a connection, or its closer.
#[inline(always)]
pub(crate) fn find(run: Run, ends: Ends) -> Found {
    Found(find_owner(run.0, ends as u32))
}

/// Where the owner of a connection, or its closer, is kept.
#[inline(always)]
pub(crate) fn place_of(run: Run, ends: Ends) -> Option<Place> {
    find(run, ends).place()
}

/// [`find`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn find_owner(run: u32, which: u32) -> u32 {
    let Some(scratch) = Run(run).memory() else { return Found::NOBODY.0 };
    let ends = if which == Ends::Mirror as u32 { &scratch.mirror } else { &scratch.record.endpoints };
    let hash = hash(ends, setting!(owner_seed));
    let index = hash as u32 & setting!(owner_mask);
    let Some(set) = OWNERS.get_ptr_mut(index) else { return Found::NOBODY.0 };
    // SAFETY: from a lookup.
    let way = unsafe { position(&raw const (*set).tags, tag(hash)) };
    if way == WAYS as u64 {
        return Found::NOBODY.0; // without a look at any place, which is seldom in the processor's cache
    }
    // SAFETY: from a lookup.
    let place = unsafe { place(set, way) };
    if place.owner().check == check(ends, place.who()) { index * WAYS as u32 + way as u32 } else { Found::NOBODY.0 }
}

/// Whoever owns a connection, or closed it.
#[inline(always)]
pub(crate) fn of(run: Run, ends: Ends) -> Option<&'static mut Owner> {
    place_of(run, ends).map(|place| place.owner())
}

/// Finds out where the owner of the connection in a run's record is to be kept, and asks for that memory: it is seldom in the
/// processor's cache, and by the time it is wanted it has come. Before [`put`], and well before it.
#[inline(always)]
pub(crate) fn approach(run: Run) {
    approach_owner(run.0);
}

/// [`approach`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn approach_owner(run: u32) -> u32 {
    let Some(scratch) = Run(run).memory() else { return 0 };
    scratch.hash = hash(&scratch.record.endpoints, setting!(owner_seed));
    if let Some(set) = OWNERS.get_ptr_mut(scratch.hash as u32 & setting!(owner_mask)) {
        // SAFETY: from a lookup. Nobody waits for what is read.
        let _ = unsafe { read_volatile((&raw const (*set).tags).cast::<u32>()) };
    }
    0
}

/// Remembers owner and process in a run's memory as those of the connection in its record, in the place of an earlier one of the same
/// ends, or in the one that can be spared best.
#[inline(always)]
pub(crate) fn put(run: Run, now_ns: u64) {
    put_owner(run.0, now_ns);
}

/// [`put`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn put_owner(run: u32, now_ns: u64) -> u32 {
    let Some(scratch) = Run(run).memory() else { return 0 };
    let (ends, owner) = (&scratch.record.endpoints, &mut scratch.owner);
    owner.check = check(ends, &scratch.who);
    let hash = scratch.hash;
    let tag = tag(hash);
    let Some(set) = OWNERS.get_ptr_mut(hash as u32 & setting!(owner_mask)) else { return 0 };
    // SAFETY: from a lookup.
    unsafe {
        let way = position(&raw const (*set).tags, tag);
        let place = place(set, if way != WAYS as u64 { way } else { spared(set) });
        write_volatile(place.tag, 0);
        *place.owner = *owner;
        *place.who = scratch.who;
        place.age.write(age(now_ns, owner.closed_ns == 0));
        write_volatile(place.tag, tag);
    }
    0
}

/// What an entry says of its process.
#[inline(always)]
pub(crate) fn attribution(owner: &Owner) -> u8 {
    if owner.closed_ns != 0 { Attribution::CLOSER } else { Attribution::OWNER }
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
