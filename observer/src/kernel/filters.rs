//! Filter values on their way into the programs' maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{HashMap, MapData, lpm_trie},
};
use ipnet::IpNet;
use observer_ebpf::COMM_LEN;

use crate::options::FilterSet;

/// Writes every filter value, before the hooks are attached.
///
/// # Errors
/// Names the filter of which there are too many values.
pub(crate) fn install(ebpf: &mut Ebpf, filters: &FilterSet, command: Option<u32>) -> Result<()> {
    fill(ebpf, "PIDS", "--pid", filters.pids.iter().copied().chain(command))?;
    fill(ebpf, "UIDS", "--uid", filters.uids.iter().copied())?;
    fill(ebpf, "PORTS", "--port", filters.ports.iter().map(|port| u32::from(*port)))?;
    fill(ebpf, "NETNS", "--netns", filters.netns.iter().copied())?;
    fill(ebpf, "COMMS", "--comm", filters.comms.iter().map(|comm| comm_key(comm)))?;
    let map = ebpf.map_mut("PEERS").context("the kernel object has no map PEERS")?;
    let mut peers: lpm_trie::LpmTrie<&mut MapData, [u32; 4], u8> = lpm_trie::LpmTrie::try_from(map)?;
    for peer in &filters.peers {
        let (prefix, address) = prefix_key(peer);
        peers.insert(&lpm_trie::Key::new(prefix, address), 1, 0).context("too many --peer networks")?;
    }
    Ok(())
}

/// With `--children`, adds the descendants that the named processes have already. Called when forks are followed; looks
/// again until it finds nobody new, for a child that is not yet in the map may fork meanwhile.
///
/// # Errors
/// When there are more processes than the map holds.
pub(crate) fn add_descendants(ebpf: &mut Ebpf, filters: &FilterSet) -> Result<()> {
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
        fill(ebpf, "PIDS", "--pid with --children", new.into_iter())?;
        known.extend(found);
    }
}

/// The process filters, as the programs evaluate them.
pub(crate) struct Observed {
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
    pub(crate) fn of(ebpf: &Ebpf, filters: &FilterSet, command: Option<u32>) -> Result<Self> {
        let mut pids = None;
        if !filters.pids.is_empty() || command.is_some() {
            let map = ebpf.map("PIDS").context("the kernel object has no map PIDS")?;
            let map: HashMap<&MapData, u32, u8> = HashMap::try_from(map)?;
            pids = Some(map.keys().collect::<Result<_, _>>().context("cannot read the observed processes")?);
        }
        let comms = filters.comms.iter().map(|comm| comm_key(comm)).collect();
        Ok(Self { pids, uids: filters.uids.clone(), comms })
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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
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
    let mut bytes = [0; COMM_LEN];
    for (slot, byte) in bytes.iter_mut().take(COMM_LEN - 1).zip(comm.bytes()) {
        *slot = byte;
    }
    let mut words = [0; COMM_LEN / 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = chunk.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
    }
    if cfg!(target_endian = "big") { words.map(u32::swap_bytes) } else { words }
}

/// A network as a prefix of IPv4-mapped IPv6, in network byte order.
fn prefix_key(net: &IpNet) -> (u32, [u32; 4]) {
    let (prefix, octets) = match net {
        IpNet::V4(net) => (96 + u32::from(net.prefix_len()), net.network().to_ipv6_mapped().octets()),
        IpNet::V6(net) => (u32::from(net.prefix_len()), net.network().octets()),
    };
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    }
    (prefix, words)
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
        let (prefix, words) = prefix_key(&"10.1.0.0/16".parse().unwrap());
        assert_eq!(prefix, 112);
        assert_eq!(words[2].to_ne_bytes(), [0, 0, 0xff, 0xff]);
        assert_eq!(words[3].to_ne_bytes(), [10, 1, 0, 0]);
    }
}
