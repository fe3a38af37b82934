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
use observer_ebpf::{Endpoints, ListenerKey, Owner, OwnerSet, Person, WAYS, age, check, hash, person_flag, tag};
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    time::{ClockId, clock_gettime},
};
use zerocopy::transmute;

use super::filters::Observed;
use crate::{diagnose::diagnose, seed::Seed};

/// Only where there is no entry yet (`BPF_NOEXIST`): what the programs wrote meanwhile is newer.
const NO_EXIST: u64 = 1;

/// How the map of owners is made: sets, a power of two of them, and the seed of this observer's hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnerTable {
    pub(crate) sets: u32,
    pub(crate) seed: u32,
}

impl OwnerTable {
    /// With room for at least so many connections, if they are spread evenly.
    pub(crate) fn of(connections: u32) -> Self {
        let seed = RandomState::new().build_hasher().finish() as u32;
        let sets = connections.div_ceil(WAYS as u32).next_power_of_two();
        Self { sets, seed }
    }
}

/// Writes the owners. Those for which a set has no room are left out, and it is said.
///
/// # Errors
/// When a map cannot be written.
pub(crate) fn seed(ebpf: &mut Ebpf, table: OwnerTable, seeds: &[Seed], observed: &Observed) -> Result<()> {
    let (listeners, connections): (Vec<&Seed>, Vec<&Seed>) = seeds.iter().partition(|seed| seed.listening);
    if !connections.is_empty() {
        let sets = Sets::map(ebpf, table)?;
        let now = clock_gettime(ClockId::Boottime);
        let now_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        let write = |seed: &&&Seed| !sets.remember(&seed.endpoints, &person(seed, observed), now_ns);
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

/// The sets, in memory that the programs write at the same time.
struct Sets {
    first: *mut OwnerSet,
    table: OwnerTable,
}

/// Takes a place, if it is empty.
fn taken(tag: &AtomicU32) -> bool {
    /// Being filled: neither 0 nor a tag, which are odd.
    const TAKEN: u32 = 2;
    tag.compare_exchange(0, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
}

impl Sets {
    /// # Errors
    /// When the kernel does not share them.
    fn map(ebpf: &Ebpf, table: OwnerTable) -> Result<Self> {
        let map = ebpf.map("OWNERS").context("the kernel object has no map OWNERS")?;
        let Map::Array(map) = map else { anyhow::bail!("the map OWNERS is no array") };
        Self::of(map.fd().as_fd(), table).context("cannot map the owners of connections")
    }

    fn of(fd: BorrowedFd<'_>, table: OwnerTable) -> rustix::io::Result<Self> {
        let (length, access) = (Self::length(table), ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new mapping, where the kernel likes.
        let first = unsafe { mmap(ptr::null_mut(), length, access, MapFlags::SHARED, fd, 0)? };
        Ok(Self { first: first.cast(), table })
    }

    fn length(table: OwnerTable) -> usize {
        (table.sets as usize * size_of::<OwnerSet>()).next_multiple_of(rustix::param::page_size())
    }

    /// Remembers the owner of a connection, unless somebody is remembered already; false when there is no room.
    fn remember(&self, ends: &Endpoints, who: &Person, now_ns: u64) -> bool {
        let hash = hash(ends, self.table.seed);
        let index = hash as u32 & (self.table.sets - 1);
        // SAFETY: the index is below the number of sets, and the places are below WAYS. The programs write here as well: tags and ages are atomic words, and a place whose
        // tag was 0 and is taken is ours, unless a program has chosen it just before; what comes of that is nobody's by its
        // check.
        unsafe {
            let set = self.first.add(index as usize);
            let tags: [&AtomicU32; WAYS] = std::array::from_fn(|way| AtomicU32::from_ptr(&raw mut (*set).tags[way]));
            if tags.iter().any(|one| one.load(Ordering::Acquire) == tag(hash)) {
                return true;
            }
            let Some(way) = (0..WAYS).find(|way| taken(tags[*way])) else { return false };
            // A program takes the place with the lowest age.
            AtomicU32::from_ptr(&raw mut (*set).ages[way]).store(age(now_ns, true), Ordering::Release);
            (&raw mut (*set).owners[way]).write_volatile(Owner { check: check(ends, who), ..Owner::BLANK });
            (&raw mut (*set).people[way]).write_volatile(*who);
            tags[way].store(tag(hash), Ordering::Release);
        }
        true
    }
}

impl Drop for Sets {
    fn drop(&mut self) {
        // SAFETY: mapped with this length, and nobody has a pointer into it any more.
        let _ = unsafe { munmap(self.first.cast(), Self::length(self.table)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets in memory of our own.
    fn sets(table: OwnerTable) -> Sets {
        let length = Sets::length(table);
        // SAFETY: a new mapping, where the kernel likes.
        let first = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        Sets { first: first.unwrap().cast(), table }
    }

    fn ends(port: u16) -> Endpoints {
        Endpoints { local: [1; 4], peer: [2; 4], local_port: port, peer_port: 80, netns: 3 }
    }

    fn somebody(pid: u32) -> Person {
        Person { tgid: pid, pid, ..Person::NOBODY }
    }

    /// As the programs look for it.
    fn found(sets: &Sets, ends: &Endpoints) -> Option<Person> {
        let hash = hash(ends, sets.table.seed);
        // SAFETY: in the mapping; nobody else writes there.
        let set = unsafe { &*sets.first.add((hash as u32 & (sets.table.sets - 1)) as usize) };
        let way = set.tags.iter().position(|one| *one == tag(hash))?;
        assert!(set.ages[way] >> 31 == 1, "an open connection");
        (set.owners[way].check == check(ends, &set.people[way])).then_some(set.people[way])
    }

    #[test]
    fn owners_are_found_again_and_the_first_one_stays() {
        let sets = sets(OwnerTable { sets: 64, seed: 5 });
        let remembered: Vec<u16> = (1..=200).filter(|port| sets.remember(&ends(*port), &somebody(7), 1)).collect();
        assert!(remembered.len() > 190, "three in a set on average: {}", remembered.len());
        for port in &remembered {
            assert!(sets.remember(&ends(*port), &somebody(8), 1));
            assert_eq!(found(&sets, &ends(*port)).map(|who| who.tgid), Some(7), "{port}");
        }
        assert_eq!(found(&sets, &ends(201)), None);
    }

    #[test]
    fn a_full_set_takes_nobody_else() {
        let sets = sets(OwnerTable { sets: 1, seed: 5 });
        let taken = (1..=20).filter(|port| sets.remember(&ends(*port), &somebody(7), 1)).count();
        assert_eq!(taken, WAYS);
    }

    #[test]
    fn there_is_room_for_as_many_as_were_asked_for() {
        for (owners, sets) in [(16, 2), (17, 4), (32_768, 4_096), (16_777_216, 2_097_152)] {
            assert_eq!(OwnerTable::of(owners).sets, sets);
        }
    }
}
