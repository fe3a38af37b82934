//! Which name an address was asked by, by whom and when. Bounded in entries and bytes; the oldest go first.
//!
//! A name speaks for the connections that began while it could be believed (its TTL), however late they are asked
//! about: a connection may outlive the TTL by hours. So the clock forgets nothing, only lack of room does.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use crate::names::ProcessId;

/// Names of addresses that are kept.
const MOST_ENTRIES: usize = 32_768;

/// Memory for them, about.
const MOST_BYTES: usize = 8 << 20;

/// Memory that an entry takes besides its name, about.
const ENTRY_BYTES: usize = 160;

/// Names of one address: many processes may ask for it, by many names.
const MOST_PER_ADDRESS: usize = 128;

/// Shortest and longest time that a name speaks for an address, whatever its TTL. Programs use an answer for a while,
/// also one with a TTL of zero; nobody keeps one for longer than a day (RFC 8767 §4 advises so).
const TTL_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// A name of an address.
#[derive(Debug)]
struct Entry {
    /// Place in the order of age.
    number: u64,
    name: Arc<str>,
    process: Option<ProcessId>,
    netns: u32,
    /// First and last answer of a row in which each came before the one before had expired, ns of CLOCK_BOOTTIME.
    first_ns: u64,
    last_ns: u64,
    expires_ns: u64,
}

impl Entry {
    /// How well it fits a connection that began at this time: the last answer before it goes before others; an answer
    /// that came after, when the program must have known the address from elsewhere, goes behind, the first one first.
    fn fit(&self, since_ns: u64) -> Option<(bool, i128)> {
        if since_ns > self.expires_ns {
            None
        } else if self.last_ns <= since_ns {
            Some((true, i128::from(self.last_ns)))
        } else if self.first_ns <= since_ns {
            Some((true, i128::from(self.first_ns)))
        } else {
            Some((false, -i128::from(self.first_ns)))
        }
    }
}

/// Whose answers count.
#[derive(Clone, Copy, Debug)]
pub(in crate::names) enum Whose {
    /// This process's.
    Process(ProcessId),
    /// Those of this network namespace.
    Namespace(u32),
    /// Everybody's.
    Anybody,
}

/// The names.
#[derive(Debug, Default)]
pub(in crate::names) struct Answers {
    entries: HashMap<IpAddr, Vec<Entry>>,
    /// The address of every entry, the oldest first.
    order: BTreeMap<u64, IpAddr>,
    number: u64,
    bytes: usize,
    /// Entries that were forgotten for want of room.
    pub(super) evicted: u64,
}

impl Answers {
    /// A name was answered with an address.
    pub(super) fn learn(
        &mut self,
        address: IpAddr,
        name: &Arc<str>,
        process: Option<ProcessId>,
        netns: u32,
        time_ns: u64,
        ttl: u32,
    ) {
        let ttl_ns = u64::from(ttl.clamp(*TTL_S.start(), *TTL_S.end())) * 1_000_000_000;
        let expires_ns = time_ns.saturating_add(ttl_ns);
        self.number += 1;
        let entries = self.entries.entry(address).or_default();
        let same = |entry: &&mut Entry| entry.process == process && entry.netns == netns && entry.name == *name;
        if let Some(entry) = entries.iter_mut().find(same) {
            if time_ns > entry.expires_ns {
                entry.first_ns = time_ns;
            }
            entry.last_ns = time_ns;
            entry.expires_ns = expires_ns;
            self.order.remove(&entry.number);
            entry.number = self.number;
            self.order.insert(self.number, address);
            return;
        }
        if entries.len() == MOST_PER_ADDRESS
            && let Some(oldest) = entries.iter().map(|entry| entry.number).min()
        {
            self.forget(oldest);
        }
        let number = self.number;
        let entry =
            Entry { number, name: Arc::clone(name), process, netns, first_ns: time_ns, last_ns: time_ns, expires_ns };
        self.bytes += weight(&entry);
        self.entries.entry(address).or_default().push(entry);
        self.order.insert(number, address);
        while self.order.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            let Some((oldest, _)) = self.order.first_key_value() else { break };
            self.forget(*oldest);
        }
    }

    /// The name by which an address was asked for, as far as it spoke for it when a connection began.
    pub(in crate::names) fn name(&self, address: IpAddr, whose: Whose, since_ns: u64) -> Option<&Arc<str>> {
        let counts = |entry: &&Entry| match whose {
            Whose::Process(process) => entry.process == Some(process),
            Whose::Namespace(netns) => entry.netns == netns,
            Whose::Anybody => true,
        };
        let entries = self.entries.get(&address)?.iter().filter(counts);
        let fitting = entries.filter_map(|entry| Some((entry.fit(since_ns)?, entry)));
        fitting.max_by_key(|(fit, entry)| (*fit, entry.number)).map(|(_, entry)| &entry.name)
    }

    /// Entries kept.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Every name.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.values().flatten().map(|entry| &*entry.name)
    }

    fn forget(&mut self, number: u64) {
        let Some(address) = self.order.remove(&number) else { return };
        let Some(entries) = self.entries.get_mut(&address) else { return };
        if let Some(index) = entries.iter().position(|entry| entry.number == number) {
            self.bytes -= weight(&entries.swap_remove(index));
            self.evicted += 1;
        }
        if entries.is_empty() {
            self.entries.remove(&address);
        }
    }
}

fn weight(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.name.len()
}

#[cfg(test)]
mod tests;
