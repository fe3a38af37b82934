//! Names from what surrounds a process: its hosts file, and the addresses that are this host's own. Looked at again
//! after a while, by a worker, for which a caller waits as long as it likes.

use std::{
    collections::HashSet,
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    ProcessId,
    hosts::Table,
    machine::{self, FileState, Root},
    worker::Worker,
};
use crate::{event::HostsCounts, netns, recent::Recent};

/// How long a look at a hosts file is good.
const HOSTS_FRESH: Duration = Duration::from_secs(1);

/// How long a look at our addresses is good.
const ADDRESSES_FRESH: Duration = Duration::from_secs(10);

/// Processes and network namespaces whose hosts files are remembered.
const MOST_ROOTS: usize = 4_096;

/// Memory for the content of hosts files.
const MOST_TABLE_BYTES: usize = 8 << 20;

/// Looks that may wait.
const QUEUE: usize = 64;

/// What the worker is to look at.
#[derive(Debug)]
enum Look {
    /// A hosts file; `again` wants its content, though it may have been told before.
    Hosts {
        root: Root,
        again: bool,
    },
    Addresses,
}

/// What it saw.
#[derive(Debug)]
enum Seen {
    Hosts { root: Root, found: Option<(FileState, Option<Table>)> },
    Addresses(Option<HashSet<IpAddr>>),
}

/// The last look at a root.
#[derive(Clone, Copy, Debug)]
struct Glance {
    file: Option<FileState>,
    time_ns: u64,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Surroundings {
    worker: Worker<Look, Seen>,
    roots: Recent<Root, Glance>,
    /// By network namespace, the hosts file of a process that was in it.
    namespaces: Recent<u32, FileState>,
    tables: Recent<FileState, Table>,
    host_netns: Option<u32>,
    addresses: HashSet<IpAddr>,
    addresses_ns: Option<u64>,
    counts: HostsCounts,
}

impl Surroundings {
    /// Starts the worker.
    ///
    /// # Errors
    /// When there can be no other thread.
    pub(super) fn new() -> io::Result<Self> {
        Self::with(netns::of_host(), look())
    }

    fn with(host_netns: Option<u32>, look: impl FnMut(Look) -> Seen + Send + 'static) -> io::Result<Self> {
        Ok(Self {
            worker: Worker::start("names", QUEUE, look)?,
            roots: Recent::new(MOST_ROOTS),
            namespaces: Recent::new(MOST_ROOTS),
            tables: Recent::new(MOST_TABLE_BYTES),
            host_netns,
            addresses: HashSet::new(),
            addresses_ns: None,
            counts: HostsCounts::default(),
        })
    }

    /// The name that the hosts file of a process gives to an address. When the process has ended: the file of its
    /// network namespace, as last seen; the host's where that is the host's.
    pub(super) fn hosts_name(
        &mut self,
        address: IpAddr,
        process: Option<ProcessId>,
        netns: Option<u32>,
        now_ns: u64,
        deadline: Instant,
    ) -> Option<Arc<str>> {
        let mut file = process.and_then(|process| self.file(Root::Process(process), now_ns, deadline));
        match (file, netns) {
            (Some(file), Some(netns)) => self.namespaces.insert(netns, file),
            (None, Some(netns)) => file = self.namespaces.get(&netns).copied(),
            _ => {}
        }
        if file.is_none() && (netns.is_none() || netns == self.host_netns) {
            file = self.file(Root::Host, now_ns, deadline);
        }
        self.tables.get(&file?)?.name(address).cloned()
    }

    /// Whether an address is one of this host.
    pub(super) fn is_own(&mut self, address: IpAddr, now_ns: u64, deadline: Instant) -> bool {
        if self.addresses_ns.is_none_or(|time_ns| is_over(ADDRESSES_FRESH, time_ns, now_ns)) {
            self.addresses_ns = Some(now_ns);
            self.look(Look::Addresses, deadline);
        }
        self.collect();
        self.addresses.contains(&address)
    }

    /// Counters until now.
    pub(super) fn counts(&self) -> HostsCounts {
        self.counts
    }

    /// The hosts file of a root, looked at anew when the last look is too old.
    fn file(&mut self, root: Root, now_ns: u64, deadline: Instant) -> Option<FileState> {
        self.collect();
        let last = self.roots.get(&root).copied();
        if last.is_none_or(|last| is_over(HOSTS_FRESH, last.time_ns, now_ns)) {
            self.roots.insert(root, Glance { file: last.and_then(|last| last.file), time_ns: now_ns });
            self.look(Look::Hosts { root, again: false }, deadline);
        }
        self.roots.get(&root)?.file
    }

    /// Sends the worker to look. Waits for it only when it is at nothing else, which may hold it for long.
    fn look(&mut self, look: Look, deadline: Instant) {
        let idle = self.worker.is_idle();
        if !self.worker.ask(look) {
            self.counts.dropped += 1;
            return;
        }
        self.counts.looks += 1;
        if !idle {
            self.counts.late += 1;
            return;
        }
        while !self.worker.is_idle() {
            match self.worker.wait(deadline) {
                Some(seen) => self.note(seen),
                None => {
                    self.counts.late += 1;
                    return;
                }
            }
        }
    }

    fn collect(&mut self) {
        while let Some(seen) = self.worker.take() {
            self.note(seen);
        }
    }

    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Addresses(found) => self.addresses = found.unwrap_or_default(),
            Seen::Hosts { root, found } => {
                let file = found.as_ref().map(|(state, _)| *state);
                match found {
                    Some((state, Some(table))) => {
                        let weight = table.weight();
                        self.tables.insert_weighing(state, table, weight);
                    }
                    // It was told before, and forgotten since.
                    Some((state, None)) if self.tables.get(&state).is_none() => {
                        self.worker.ask(Look::Hosts { root, again: true });
                    }
                    _ => {}
                }
                if let Some(glance) = self.roots.get(&root) {
                    glance.file = file;
                }
            }
        }
    }
}

/// The worker's side: remembers which contents it has told.
fn look() -> impl FnMut(Look) -> Seen + Send + 'static {
    let mut told = Recent::new(MOST_ROOTS);
    move |look| match look {
        Look::Addresses => Seen::Addresses(machine::addresses().ok()),
        Look::Hosts { root, again } => {
            let found = machine::hosts(root, |state| !again && told.get(state).is_some()).ok();
            if let Some((state, Some(_))) = &found {
                told.insert(*state, ());
            }
            Seen::Hosts { root, found }
        }
    }
}

/// Whether something of this time is out of date.
pub(super) fn is_over(time: Duration, since_ns: u64, now_ns: u64) -> bool {
    u128::from(now_ns.saturating_sub(since_ns)) >= time.as_nanos()
}

#[cfg(test)]
pub(super) mod tests;
