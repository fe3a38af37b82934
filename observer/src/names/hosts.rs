//! `/etc/hosts` (hosts(5)): the name of an address is the first one on its first line. Any bytes give a table; what
//! makes no sense is passed over.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use super::hostname::hostname;

/// Addresses that are kept of one file.
const MOST_ADDRESSES: usize = 16_384;

/// Memory that an entry takes besides its name, about.
const ENTRY_BYTES: usize = 64;

/// Names by address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    names: HashMap<IpAddr, Arc<str>>,
}

impl Table {
    /// Reads the content of a file.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut names: HashMap<IpAddr, Arc<str>> = HashMap::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            let Some((address, name)) = entry(line) else { continue };
            if names.len() == MOST_ADDRESSES && !names.contains_key(&address) {
                continue;
            }
            names.entry(address).or_insert_with(|| name.into());
        }
        Self { names }
    }

    /// The name of an address.
    pub(super) fn name(&self, address: IpAddr) -> Option<&Arc<str>> {
        self.names.get(&address)
    }

    /// Memory that it takes, about.
    pub(super) fn weight(&self) -> usize {
        ENTRY_BYTES + self.names.values().map(|name| ENTRY_BYTES + name.len()).sum::<usize>()
    }
}

fn entry(line: &[u8]) -> Option<(IpAddr, String)> {
    let line = line.split(|byte| *byte == b'#').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let address = words.next()?;
    // A link-local address may name its interface: fe80::1%eth0.
    let address: IpAddr = address.split('%').next()?.parse().ok()?;
    let address = address.to_canonical();
    // Lists of unwanted names give them the address that is none.
    if address.is_unspecified() {
        return None;
    }
    Some((address, words.find_map(hostname)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::noise::Noise;

    const FILE: &str = "\
127.0.0.1\tlocalhost\n\
::1 localhost ip6-localhost # both\n\
\n\
# 192.0.2.9 commented\n\
  192.0.2.1   One.example  one\r\n\
192.0.2.1 later.example\n\
fe80::1%eth0 router\n\
::ffff:192.0.2.7 mapped\n\
0.0.0.0 unwanted.example\n\
192.0.2.3\n\
192.0.2.4 b\u{1b}[2Jad good\n\
300.1.1.1 nobody\n\
192.0.2.5 last";

    #[test]
    fn the_first_name_of_an_address_counts() {
        let table = Table::parse(FILE.as_bytes());
        let name = |address: &str| table.name(address.parse().unwrap()).map(|name| &**name);
        assert_eq!(name("127.0.0.1"), Some("localhost"));
        assert_eq!(name("::1"), Some("localhost"));
        assert_eq!(name("192.0.2.1"), Some("one.example"));
        assert_eq!(name("fe80::1"), Some("router"));
        assert_eq!(name("192.0.2.7"), Some("mapped"));
        assert_eq!(name("192.0.2.4"), Some("good"), "what is no name is passed over");
        assert_eq!(name("192.0.2.5"), Some("last"), "also without a line's end");
        for nameless in ["0.0.0.0", "192.0.2.3", "192.0.2.9", "192.0.2.6"] {
            assert_eq!(name(nameless), None, "{nameless}");
        }
    }

    #[test]
    fn a_file_beyond_measure_is_cut() {
        let file: String = (0..2 * MOST_ADDRESSES as u32)
            .map(|number| format!("{} h{number}\n", std::net::Ipv4Addr::from(0x0a00_0000 + number)))
            .collect();
        let table = Table::parse(file.as_bytes());
        assert_eq!(table.names.len(), MOST_ADDRESSES);
        assert!(table.weight() > MOST_ADDRESSES * ENTRY_BYTES);
    }

    #[test]
    fn any_bytes_give_a_table() {
        let mut noise = Noise::new(7);
        for _ in 0..2_000 {
            let bytes = noise.mutate(FILE.as_bytes());
            for (address, name) in Table::parse(&bytes).names {
                assert!(!address.is_unspecified());
                assert_eq!(hostname(&name).as_deref(), Some(&*name), "only host names");
            }
        }
    }
}
