//! Filter values on their way into the programs' maps.

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
