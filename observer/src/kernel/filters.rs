//! Filter values on their way into the programs' maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError, lpm_trie},
};
use ipnet::IpNet;
use observer_ebpf::{COMM_LEN, SELECTION_SLOTS, Selection, person_flag};
use zerocopy::transmute;

use super::{grace, settings::selection};
use crate::{options::FilterSet, procfile};

/// Filters as the programs know them: by a number that begins the keys of their values, so that a whole set takes the
/// place of another at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    /// The number, as it is noted in the flags of processes.
    pub(crate) fn flags(self) -> u32 {
        person_flag::of_generation(self.0)
    }
}

/// Puts other filters in force, without a moment between: 1. their values are written under a new number, 2. the number
/// in force is changed, 3. programs that still go by the old one have ended, 4. its values are removed.
///
/// # Errors
/// Names the filter of which there are too many values: then the old ones stay in force.
pub(crate) fn replace(
    ebpf: &mut Ebpf,
    old: Generation,
    (old_filters, filters): (&FilterSet, &FilterSet),
    command: Option<u32>,
) -> Result<Generation> {
    let new = Generation(old.0.wrapping_add(1));
    if let Err(error) = begin(ebpf, new, filters, command) {
        clear(ebpf, new, filters)?;
        return Err(error);
    }
    grace::settle();
    clear(ebpf, old, old_filters)?;
    Ok(new)
}

fn begin(ebpf: &mut Ebpf, new: Generation, filters: &FilterSet, command: Option<u32>) -> Result<()> {
    install(ebpf, new, filters, command)?;
    put_in_force(ebpf, new, selection(filters, command.is_some()))?;
    add_descendants(ebpf, new, filters)
}

/// Lets the programs go by a set of filters whose values are written.
///
/// # Errors
/// When a map cannot be written.
pub(crate) fn put_in_force(ebpf: &mut Ebpf, Generation(set): Generation, selection: Selection) -> Result<()> {
    let map = ebpf.map_mut("SELECTIONS").context("the kernel object has no map SELECTIONS")?;
    let mut selections: Array<&mut MapData, [u32; size_of::<Selection>() / 4]> = Array::try_from(map)?;
    let words: [u32; size_of::<Selection>() / 4] = transmute!(selection);
    selections.set(set % SELECTION_SLOTS, words, 0).context("cannot write the filters")?;
    let map = ebpf.map_mut("GENERATION").context("the kernel object has no map GENERATION")?;
    let mut in_force: Array<&mut MapData, u64> = Array::try_from(map)?;
    let word = u64::from(selection.filters) << 32 | u64::from(set);
    in_force.set(0, word, 0).context("cannot put the filters in force")
}

/// Writes every filter value, before the filters are in force.
///
/// # Errors
/// Names the filter of which there are too many values.
pub(crate) fn install(
    ebpf: &mut Ebpf,
    Generation(set): Generation,
    filters: &FilterSet,
    command: Option<u32>,
) -> Result<()> {
    fill(ebpf, "PIDS", "--pid", filters.pids.iter().copied().chain(command).map(|pid| [set, pid]))?;
    fill(ebpf, "UIDS", "--uid", filters.uids.iter().map(|uid| [set, *uid]))?;
    fill(ebpf, "PORTS", "--port", filters.ports.iter().map(|port| [set, u32::from(*port)]))?;
    fill(ebpf, "NETNS", "--netns", filters.netns.iter().map(|inode| [set, *inode]))?;
    fill(ebpf, "COMMS", "--comm", filters.comms.iter().map(|comm| numbered(set, comm_key(comm))))?;
    let map = ebpf.map_mut("PEERS").context("the kernel object has no map PEERS")?;
    let mut peers: lpm_trie::LpmTrie<&mut MapData, [u32; 5], u8> = lpm_trie::LpmTrie::try_from(map)?;
    for peer in &filters.peers {
        peers.insert(&prefix_key(set, peer), 1, 0).context("too many --peer networks")?;
    }
    Ok(())
}

/// Removes the values of a set of filters that is not in force.
fn clear(ebpf: &mut Ebpf, Generation(set): Generation, filters: &FilterSet) -> Result<()> {
    for name in ["PIDS", "UIDS", "PORTS", "NETNS"] {
        remove::<2>(ebpf, name, set)?;
    }
    remove::<5>(ebpf, "COMMS", set)?;
    // A trie lists its keys from 4.16 on, but not while it changes; what is in it is known anyway.
    let map = ebpf.map_mut("PEERS").context("the kernel object has no map PEERS")?;
    let mut peers: lpm_trie::LpmTrie<&mut MapData, [u32; 5], u8> = lpm_trie::LpmTrie::try_from(map)?;
    for peer in &filters.peers {
        settled(peers.remove(&prefix_key(set, peer)))?;
    }
    Ok(())
}

fn remove<const WORDS: usize>(ebpf: &mut Ebpf, name: &str, set: u32) -> Result<()>
where
    [u32; WORDS]: aya::Pod,
{
    let map = ebpf.map_mut(name).with_context(|| format!("the kernel object has no map {name}"))?;
    let mut map: HashMap<&mut MapData, [u32; WORDS], u8> = HashMap::try_from(map)?;
    let keys: Vec<[u32; WORDS]> =
        map.keys().collect::<Result<_, _>>().with_context(|| format!("cannot read {name}"))?;
    keys.iter().filter(|key| key[0] == set).try_for_each(|key| settled(map.remove(key)))
}

/// What is gone already need not be removed: a process that has ended.
fn settled(removed: Result<(), MapError>) -> Result<()> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        removed => removed.context("cannot remove the values of old filters"),
    }
}

/// With `--children`, adds the descendants that the named processes have already. Called when forks are followed; looks
/// again until it finds nobody new, for a child that is not yet in the map may fork meanwhile.
///
/// # Errors
/// When there are more processes than the map holds.
pub(crate) fn add_descendants(ebpf: &mut Ebpf, Generation(set): Generation, filters: &FilterSet) -> Result<()> {
    if !filters.children || filters.pids.is_empty() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    loop {
        let found = descendants(&filters.pids)?;
        let new: Vec<u32> = found.difference(&known).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        fill(ebpf, "PIDS", "--pid with --children", new.into_iter().map(|pid| [set, pid]))?;
        known.extend(found);
    }
}

/// The process filters, as the programs evaluate them.
pub(crate) struct Observed {
    /// Which ones.
    pub(crate) generation: Generation,
    /// None when every process is observed.
    pids: Option<BTreeSet<u32>>,
    uids: Vec<u32>,
    comms: Vec<[u32; COMM_LEN / 4]>,
}

impl Observed {
    /// Reads the process ids back from the programs' map, which knows the children too.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub(crate) fn of(ebpf: &Ebpf, generation: Generation, filters: &FilterSet, command: Option<u32>) -> Result<Self> {
        let Generation(set) = generation;
        let mut pids = None;
        if !filters.pids.is_empty() || command.is_some() {
            let map = ebpf.map("PIDS").context("the kernel object has no map PIDS")?;
            let map: HashMap<&MapData, [u32; 2], u8> = HashMap::try_from(map)?;
            let keys: Vec<[u32; 2]> =
                map.keys().collect::<Result<_, _>>().context("cannot read the observed processes")?;
            pids = Some(keys.iter().filter(|key| key[0] == set).map(|key| key[1]).collect());
        }
        let comms = filters.comms.iter().map(|comm| comm_key(comm)).collect();
        Ok(Self { generation, pids, uids: filters.uids.clone(), comms })
    }

    /// Whether every process filter that is on names the process.
    pub(crate) fn names(&self, pid: u32, uid: u32, comm: [u32; COMM_LEN / 4]) -> bool {
        self.pids.as_ref().is_none_or(|pids| pids.contains(&pid))
            && (self.uids.is_empty() || self.uids.contains(&uid))
            && (self.comms.is_empty() || self.comms.contains(&comm))
    }
}

/// Children of processes, their children, and so on.
fn descendants(pids: &[u32]) -> Result<BTreeSet<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("cannot list /proc")?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent_of(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = pids.to_vec();
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    Ok(found)
}

/// Parent of a process (`/proc/PID/stat`, fourth field); None when it has ended meanwhile.
fn parent_of(pid: u32) -> Option<u32> {
    const PARENT: usize = 4;
    u32::try_from(procfile::stat(format!("/proc/{pid}"), PARENT)?).ok()
}

fn fill<K: aya::Pod>(ebpf: &mut Ebpf, name: &str, flag: &str, keys: impl Iterator<Item = K>) -> Result<()> {
    let map = ebpf.map_mut(name).with_context(|| format!("the kernel object has no map {name}"))?;
    let mut map: HashMap<&mut MapData, K, u8> = HashMap::try_from(map)?;
    for key in keys {
        map.insert(key, 1, 0).with_context(|| format!("too many values for {flag}"))?;
    }
    Ok(())
}

/// A name as the kernel keeps it: at most 15 bytes and a NUL.
fn comm_key(comm: &str) -> [u32; COMM_LEN / 4] {
    transmute!(procfile::comm(comm.as_bytes()))
}

/// A key behind the number of its filters.
fn numbered(set: u32, words: [u32; 4]) -> [u32; 5] {
    [set, words[0], words[1], words[2], words[3]]
}

/// A network as a prefix of IPv4-mapped IPv6, in network byte order.
fn prefix_key(set: u32, net: &IpNet) -> lpm_trie::Key<[u32; 5]> {
    let (prefix, octets) = match net {
        IpNet::V4(net) => (96 + u32::from(net.prefix_len()), net.network().to_ipv6_mapped().octets()),
        IpNet::V6(net) => (u32::from(net.prefix_len()), net.network().octets()),
    };
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    }
    lpm_trie::Key::new(u32::BITS + prefix, numbered(set, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_as_the_kernel_cuts_it() {
        assert_eq!(comm_key("0123456789abcdefgh"), comm_key("0123456789abcde"));
        assert_ne!(comm_key("0123456789abcd"), comm_key("0123456789abcde"));
    }

    #[test]
    fn ipv4_networks_are_prefixes_of_mapped_addresses() {
        let key = prefix_key(7, &"10.1.0.0/16".parse().unwrap());
        let (prefix, words) = (key.prefix_len(), key.data());
        assert_eq!((prefix, words[0]), (32 + 112, 7));
        assert_eq!(words[3].to_ne_bytes(), [0, 0, 0xff, 0xff]);
        assert_eq!(words[4].to_ne_bytes(), [10, 1, 0, 0]);
    }
}
