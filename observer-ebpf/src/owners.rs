//! Who holds or held a connection, by its two ends: what happens to it in a softirq is that process's story, never the
//! interrupted task's.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
};

use observer_ebpf::{
    Attribution, Endpoints, ListenerKey, Owner, OwnerSet, OwnerSlot, Person, Stat, WAYS, age, check, hash, tag,
};

use crate::{
    count::stat,
    frozen::setting,
    maps::{LISTENERS, OWNERS, UNACCEPTED},
    notes,
    scratch::Run,
    sock::mapped,
};

/// Where the owner of a connection is kept.
pub(crate) struct Place {
    tag: *mut u32,
    age: *mut u32,
    slot: *mut OwnerSlot,
}

impl Place {
    /// The owner.
    #[inline(always)]
    pub(crate) fn owner(&self) -> &'static mut Owner {
        // SAFETY: in a value of the map; plain words without meaning to the language. A reader that meets a rewrite sees some
        // words of another owner: see `observer_ebpf::OwnerSet`.
        unsafe { &mut (*self.slot).owner }
    }

    /// Somebody else is the owner.
    #[inline(always)]
    pub(crate) fn belongs_to(&self, who: &Person) {
        // SAFETY: as above.
        unsafe {
            (*self.slot).owner.who = *who;
            (*self.slot).check = check(&(*self.slot).ends, who);
        }
    }

    /// The connection is over: its place may be wanted for another.
    #[inline(always)]
    pub(crate) fn is_over(&self, now_ns: u64) {
        // SAFETY: as above.
        unsafe { self.age.write(age(now_ns, false)) };
    }
}

/// One bit for each place of a set that has this tag.
///
/// # Safety
/// The set is a value of the map.
#[inline(always)]
unsafe fn tagged(set: *const OwnerSet, tag: u32) -> u64 {
    let mut found = 0;
    for way in 0..WAYS {
        // SAFETY: as the caller promises.
        let differs = opaque(u64::from(unsafe { read_volatile(&raw const (*set).tags[way]) } ^ tag));
        found |= (differs.wrapping_sub(1) >> 63) << way;
    }
    found
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

/// Hides a number from LLVM, which would make a branch of what is computed from it: the verifier walks each way of a branch,
/// and two hundred ways of eight.
#[inline(always)]
fn opaque(mut value: u64) -> u64 {
    // An instruction, since the kernel refuses line information without one.
    // SAFETY: a number onto itself.
    unsafe { asm!("{value} = {value}", value = inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
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
            slot: (&raw mut (*set).slots).cast::<OwnerSlot>().add(way),
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
    let (index, tag) = (hash as u32 & setting!(owner_mask), tag(hash));
    let Some(set) = OWNERS.get_ptr_mut(index) else { return Found::NOBODY.0 };
    // SAFETY: from a lookup.
    let found = unsafe { tagged(set, tag) };
    if found == 0 {
        return Found::NOBODY.0; // without a look at any place, which is seldom in the processor's cache
    }
    // SAFETY: from a lookup.
    let (way, differs) = unsafe {
        let way = opaque(u64::from((found as u32).trailing_zeros())) & (WAYS as u64 - 1);
        let slot = place(set, way).slot;
        (way, differ(&(*slot).ends, ends) | ((*slot).check ^ check(&(*slot).ends, &(*slot).owner.who)))
    };
    if differs == 0 { index * WAYS as u32 + way as u32 } else { Found::NOBODY.0 }
}

/// 0 for the same ends.
#[inline(always)]
fn differ(one: &Endpoints, other: &Endpoints) -> u64 {
    let ports = (one.local_port ^ other.local_port) | (one.peer_port ^ other.peer_port);
    let mut all = u32::from(ports) | (one.netns ^ other.netns);
    for word in 0..4 {
        all |= (one.local[word] ^ other.local[word]) | (one.peer[word] ^ other.peer[word]);
    }
    u64::from(all)
}

/// Whoever owns a connection, or closed it.
#[inline(always)]
pub(crate) fn of(run: Run, ends: Ends) -> Option<&'static mut Owner> {
    place_of(run, ends).map(|place| place.owner())
}

/// Remembers the owner in a run's memory as that of the connection in its record, in the place of an earlier one of the same
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
    let (ends, owner) = (&scratch.record.endpoints, &scratch.owner);
    let hash = hash(ends, setting!(owner_seed));
    let tag = tag(hash);
    let Some(set) = OWNERS.get_ptr_mut(hash as u32 & setting!(owner_mask)) else { return 0 };
    // SAFETY: from a lookup.
    unsafe {
        let found = tagged(set, tag);
        let place = place(set, if found != 0 { u64::from((found as u32).trailing_zeros()) } else { spared(set) });
        write_volatile(place.tag, 0);
        (*place.slot).ends = *ends;
        (*place.slot).owner = *owner;
        (*place.slot).check = check(ends, &owner.who);
        place.age.write(age(now_ns, owner.closed_ns == 0));
        write_volatile(place.tag, tag);
    }
    0
}

/// The ends in a run's record belong to another connection now.
#[inline(always)]
pub(crate) fn forget(run: Run) {
    if let Some(place) = place_of(run, Ends::Record) {
        // SAFETY: in a value of the map.
        unsafe {
            write_volatile(place.tag, 0);
            place.age.write(0);
        }
    }
}

/// What an entry says of its process.
#[inline(always)]
pub(crate) fn attribution(owner: &Owner) -> u8 {
    if owner.closed_ns != 0 { Attribution::CLOSER } else { Attribution::OWNER }
}

/// Who connects this socket.
#[inline(always)]
pub(crate) fn connector_of(key: u64) -> Option<&'static Person> {
    let who = &notes::get(key)?.connector;
    if who.tgid == 0 { None } else { Some(who) }
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
