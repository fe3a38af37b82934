//! Owners of connections that are older than the hooks, on their way into the programs' maps.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    os::fd::{AsFd as _, BorrowedFd},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, MapError},
};
use observer_ebpf::{
    Endpoints, ListenerKey, Owner, OwnerSet, PERSON_WAYS, Person, PersonRef, PersonSet, WAYS, age, check, hash,
    person_flag, person_hash, person_tag, tag,
};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    time::{ClockId, clock_gettime},
};
use zerocopy::transmute;

use super::filters::Observed;
use crate::{diagnose::diagnose, seed::Seed};

/// Only where there is no entry yet (`BPF_NOEXIST`): what the programs wrote meanwhile is newer.
const NO_EXIST: u64 = 1;

/// Most sets of people: of 262,144 people on one host, hardly one is ever wanted.
const MOST_PEOPLE_SETS: u32 = 1 << 16;

/// How the maps of owners and of people are made: sets, a power of two of them each, and the seed of this observer's hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnerTable {
    pub(crate) sets: u32,
    pub(crate) people_sets: u32,
    pub(crate) seed: u32,
}

impl OwnerTable {
    /// With room for at least so many connections, if they are spread evenly, each of another process.
    pub(crate) fn of(connections: u32) -> Self {
        let seed = RandomState::new().build_hasher().finish() as u32;
        let sets = connections.div_ceil(WAYS as u32).next_power_of_two();
        let people_sets = connections.div_ceil(PERSON_WAYS as u32).next_power_of_two().min(MOST_PEOPLE_SETS);
        Self { sets, people_sets, seed }
    }
}

/// Writes the owners. Those for which a set has no room are left out, and it is said.
///
/// # Errors
/// When a map cannot be written.
pub(crate) fn seed(ebpf: &mut Ebpf, table: OwnerTable, seeds: &[Seed], observed: &Observed) -> Result<()> {
    let (listeners, connections): (Vec<&Seed>, Vec<&Seed>) = seeds.iter().partition(|seed| seed.listening);
    if !connections.is_empty() {
        let owners = Owners {
            sets: Shared::map(ebpf, "OWNERS", table.sets)?,
            people: Shared::map(ebpf, "PEOPLE", table.people_sets)?,
            table,
        };
        let now = clock_gettime(ClockId::Boottime);
        let now_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        let write = |seed: &&&Seed| !owners.remember(&seed.endpoints, &person(seed, observed), now_ns);
        let left_out = connections.iter().filter(write).count();
        if left_out > 0 {
            diagnose(format_args!(
                "of {} connections that are older than this observer, there is no room for the owners of {left_out}: \
                 raise --owners",
                connections.len()
            ));
        }
    }
    let map = ebpf.map_mut("LISTENERS").context("the kernel object has no map LISTENERS")?;
    let mut makers: HashMap<&mut MapData, [u32; 6], [u64; size_of::<Person>() / 8]> = HashMap::try_from(map)?;
    for seed in listeners {
        let Endpoints { local, local_port, netns, .. } = seed.endpoints;
        let key: [u32; 6] = transmute!(ListenerKey { local, netns, port: u32::from(local_port) });
        let who: [u64; size_of::<Person>() / 8] = transmute!(person(seed, observed));
        settled(makers.insert(key, who, NO_EXIST))?;
    }
    Ok(())
}

fn settled(written: Result<(), MapError>) -> Result<()> {
    match written {
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        written => written.context("cannot write the owners of connections"),
    }
}

fn person(seed: &Seed, observed: &Observed) -> Person {
    let comm = transmute!(seed.comm);
    let noted = if observed.names(seed.pid, seed.uid, comm) { person_flag::OBSERVED } else { 0 };
    let flags = noted | observed.generation.flags();
    Person {
        cgroup_id: seed.cgroup_id,
        start_ns: seed.start_ns,
        tgid: seed.pid,
        pid: seed.tid,
        uid: seed.uid,
        flags,
        comm,
        thread: comm,
    }
}

/// Sets of a table, in memory that the programs write at the same time.
struct Shared<T> {
    first: *mut T,
    sets: u32,
}

impl<T> Shared<T> {
    /// # Errors
    /// When the kernel does not share them.
    fn map(ebpf: &Ebpf, name: &str, sets: u32) -> Result<Self> {
        let map = ebpf.map(name).with_context(|| format!("the kernel object has no map {name}"))?;
        let Map::Array(map) = map else { anyhow::bail!("the map {name} is no array") };
        Self::of(map.fd().as_fd(), sets).with_context(|| format!("cannot map {name}"))
    }

    fn of(fd: BorrowedFd<'_>, sets: u32) -> rustix::io::Result<Self> {
        let length = Self::length(sets);
        // SAFETY: a new mapping, where the kernel likes.
        let first =
            unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)? };
        Ok(Self { first: first.cast(), sets })
    }

    fn length(sets: u32) -> usize {
        (sets as usize * size_of::<T>()).next_multiple_of(rustix::param::page_size())
    }

    /// The set of a hash, with its number.
    fn set(&self, hash: u64) -> (u32, *mut T) {
        let index = hash as u32 & (self.sets - 1);
        // SAFETY: below the number of sets.
        (index, unsafe { self.first.add(index as usize) })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: mapped with this length, and nobody has a pointer into it any more.
        let _ = unsafe { munmap(self.first.cast(), Self::length(self.sets)) };
    }
}

/// Both tables.
struct Owners {
    sets: Shared<OwnerSet>,
    people: Shared<PersonSet>,
    table: OwnerTable,
}

/// Takes a place, if it is empty.
fn taken(tag: &AtomicU32) -> bool {
    /// Being filled: neither 0 nor a tag, which are odd.
    const TAKEN: u32 = 2;
    tag.compare_exchange(0, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
}

impl Owners {
    /// Remembers the owner of a connection, unless somebody is remembered already; false when there is no room.
    fn remember(&self, ends: &Endpoints, who: &Person, now_ns: u64) -> bool {
        let Some(who) = self.refer(who) else { return false };
        let hash = hash(ends, self.table.seed);
        let (_, set) = self.sets.set(hash);
        // SAFETY: the places are below WAYS. The programs write here as well: tags and ages are atomic words, and a place whose
        // tag was 0 and is taken is ours, unless a program has chosen it just before; what comes of that is nobody's by its
        // check.
        unsafe {
            let tags: [&AtomicU32; WAYS] = std::array::from_fn(|way| AtomicU32::from_ptr(&raw mut (*set).tags[way]));
            if tags.iter().any(|one| one.load(Ordering::Acquire) == tag(hash)) {
                return true;
            }
            let Some(way) = (0..WAYS).find(|way| taken(tags[*way])) else { return false };
            // A program takes the place with the lowest age.
            AtomicU32::from_ptr(&raw mut (*set).ages[way]).store(age(now_ns, true), Ordering::Release);
            let owner = Owner { who, check: check(ends, who), ..Owner::BLANK };
            (&raw mut (*set).owners[way]).write_volatile(owner);
            tags[way].store(tag(hash), Ordering::Release);
        }
        true
    }

    /// A reference to somebody, who is written down when he is not there yet; None when there is no room.
    fn refer(&self, who: &Person) -> Option<PersonRef> {
        let hash = person_hash(who, self.table.seed);
        let tag = person_tag(hash);
        let (index, set) = self.people.set(hash);
        let reference = |way: usize| PersonRef { place: index * PERSON_WAYS as u32 + way as u32, tag };
        // SAFETY: the places are below PERSON_WAYS. As above; whoever follows a reference looks whether it is he.
        unsafe {
            let tags: [&AtomicU32; PERSON_WAYS] =
                std::array::from_fn(|way| AtomicU32::from_ptr(&raw mut (*set).tags[way]));
            if let Some(way) = tags.iter().position(|one| one.load(Ordering::Acquire) == tag) {
                return Some(reference(way));
            }
            let way = (0..PERSON_WAYS).find(|way| taken(tags[*way]))?;
            (&raw mut (*set).people[way]).write_volatile(*who);
            tags[way].store(tag, Ordering::Release);
            Some(reference(way))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets in memory of our own.
    fn memory<T>(sets: u32) -> Shared<T> {
        let length = Shared::<T>::length(sets);
        // SAFETY: a new mapping, where the kernel likes.
        let first = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        Shared { first: first.unwrap().cast(), sets }
    }

    fn owners(sets: u32, people_sets: u32) -> Owners {
        let table = OwnerTable { sets, people_sets, seed: 5 };
        Owners { sets: memory(sets), people: memory(people_sets), table }
    }

    fn ends(port: u16) -> Endpoints {
        Endpoints { local: [1; 4], peer: [2; 4], local_port: port, peer_port: 80, netns: 3 }
    }

    fn somebody(pid: u32) -> Person {
        Person { tgid: pid, pid, ..Person::NOBODY }
    }

    /// As the programs look for it.
    fn found(owners: &Owners, ends: &Endpoints) -> Option<Person> {
        let hash = hash(ends, owners.table.seed);
        // SAFETY: in the mapping; nobody else writes there.
        let set = unsafe { &*owners.sets.set(hash).1 };
        let way = set.tags.iter().position(|one| *one == tag(hash))?;
        let owner = set.owners[way];
        assert!(set.ages[way] >> 31 == 1, "an open connection");
        assert_eq!(owner.check, check(ends, owner.who));
        // SAFETY: as above.
        let people = unsafe { &*owners.people.first.add(owner.who.place as usize / PERSON_WAYS) };
        let who = people.people[owner.who.place as usize % PERSON_WAYS];
        (person_tag(person_hash(&who, owners.table.seed)) == owner.who.tag).then_some(who)
    }

    #[test]
    fn owners_are_found_again_and_the_first_one_stays() {
        let owners = owners(64, 64);
        let pid = u32::from;
        let remember = |port: &u16| owners.remember(&ends(*port), &somebody(pid(*port % 50)), 1);
        let remembered: Vec<u16> = (1..=200).filter(remember).collect();
        assert!(remembered.len() > 190, "three in a set on average: {}", remembered.len());
        for port in &remembered {
            assert!(owners.remember(&ends(*port), &somebody(1_000), 1));
            assert_eq!(found(&owners, &ends(*port)).map(|who| who.tgid), Some(pid(*port % 50)), "{port}");
        }
        assert_eq!(found(&owners, &ends(201)), None);
    }

    #[test]
    fn a_full_set_takes_nobody_else() {
        let full = owners(1, 64);
        assert_eq!((1..=20).filter(|port| full.remember(&ends(*port), &somebody(7), 1)).count(), WAYS);
        let full = owners(64, 1);
        let people = (1..=20).filter(|port| full.remember(&ends(*port), &somebody(u32::from(*port)), 1)).count();
        assert_eq!(people, PERSON_WAYS);
    }

    #[test]
    fn there_is_room_for_as_many_as_were_asked_for() {
        for (connections, sets, people) in
            [(16, 2, 4), (17, 4, 8), (32_768, 4_096, 8_192), (16_777_216, 2_097_152, 65_536)]
        {
            let table = OwnerTable::of(connections);
            assert_eq!((table.sets, table.people_sets), (sets, people));
        }
    }
}
