//! Owners of connections that are older than the hooks, on their way into the programs' maps.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use observer_ebpf::{ENDPOINTS_LEN, Endpoints, ListenerKey, Owner, Person, person_flag};
use zerocopy::transmute;

use super::filters::Observed;
use crate::seed::Seed;

/// Only where there is no entry yet (`BPF_NOEXIST`): what the programs wrote meanwhile is newer.
const NO_EXIST: u64 = 1;

/// Writes the owners. Beyond the room of the maps the kernel forgets the oldest.
///
/// # Errors
/// When a map cannot be written.
pub(crate) fn seed(ebpf: &mut Ebpf, seeds: &[Seed], observed: &Observed) -> Result<()> {
    let (listeners, connections): (Vec<&Seed>, Vec<&Seed>) = seeds.iter().partition(|seed| seed.listening);
    let map = ebpf.map_mut("OWNERS").context("the kernel object has no map OWNERS")?;
    let mut owners: HashMap<&mut MapData, [u32; ENDPOINTS_LEN / 4], [u64; size_of::<Owner>() / 8]> =
        HashMap::try_from(map)?;
    for seed in connections {
        let who = person(seed, observed);
        let owner = Owner { who, closed_ns: 0, born_ns: 0, segments: 0, role: 0, flags: 0, padding: 0 };
        let key: [u32; ENDPOINTS_LEN / 4] = transmute!(seed.endpoints);
        let owner: [u64; size_of::<Owner>() / 8] = transmute!(owner);
        settled(owners.insert(key, owner, NO_EXIST))?;
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
