//! Names of peers: by what their address was asked for (`--dns`), by hosts files, by being this host's own, by reverse
//! look-up (`--ptr`). Takes bytes, addresses and the time; what may block is done by workers, for which a caller waits
//! as long as it says.
//!
//! The order of the sources, from what the process itself has done to what strangers say:
//! 1. the process's own DNS answer: the name with which it has found the address;
//! 2. an answer to another process of its network namespace: the same resolver, the same view. Not for loopback
//!    addresses, with which unwanted names are answered;
//! 3. the hosts file, as the process has it;
//! 4. the address is loopback, the connection's own, or one of this host;
//! 5. an answer to a process of any other namespace;
//! 6. the reverse look-up: a name that the address's owner has chosen, and the program has not.

mod dns;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hostname;
mod hosts;
mod machine;
#[cfg(test)]
mod noise;
mod ptr;
mod surroundings;
mod worker;

use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    dns::{Answers, Dns, Whose},
    ptr::Ptr,
    surroundings::Surroundings,
};
use crate::{
    event::{Finding, NameSource, Naming},
    procfile::TICK_NS,
};

/// A process for good: ids are given away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    tgid: u32,
    /// When it started, in clock ticks since boot: `/proc` tells no better. 0 when unknown.
    start_ticks: u64,
}

impl ProcessId {
    /// The process of an id and a start time, ns of CLOCK_BOOTTIME, 0 when unknown; None for nobody.
    #[must_use]
    pub fn of(tgid: u32, start_ns: u64) -> Option<Self> {
        (tgid != 0).then_some(Self { tgid, start_ticks: start_ns / TICK_NS })
    }

    fn tgid(self) -> u32 {
        self.tgid
    }

    /// Whether its start is known.
    fn is_certain(self) -> bool {
        self.start_ticks != 0
    }
}

/// A peer whose name is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; an IPv4-mapped one as IPv4.
    pub address: IpAddr,
    /// The address of our end of the connection.
    pub local: Option<IpAddr>,
    /// The process whose peer it is.
    pub process: Option<ProcessId>,
    /// Inode of the network namespace of the connection.
    pub netns: Option<u32>,
    /// When the connection began, ns of CLOCK_BOOTTIME; when that is not known, the time of the event.
    pub since_ns: u64,
}

impl Peer {
    /// The peer of a finding that was made at this time; None when it has no addresses.
    #[must_use]
    pub fn of(finding: &Finding, time_ns: u64) -> Option<Self> {
        let network = finding.network.as_ref()?;
        let process = finding.process.as_ref();
        let age_ns = finding.tcp.duration_ms.map_or(0, |milliseconds| (milliseconds * 1e6) as u64);
        Some(Self {
            address: network.peer.address,
            local: Some(network.local.address),
            process: process.and_then(|process| ProcessId::of(process.pid, process.start_ns)),
            netns: network.namespace,
            since_ns: time_ns.saturating_sub(age_ns),
        })
    }
}

/// What the thread that asks the resolver does first; false when it must not ask.
pub type Begin = Box<dyn FnOnce() -> bool + Send>;

/// All that is known of names.
#[derive(Debug)]
pub struct Names {
    host: Arc<str>,
    surroundings: Surroundings,
    dns: Option<Dns>,
    ptr: Option<Ptr>,
}

impl Names {
    /// Nothing is known yet. `host` is the name of this host; `ptr` is there when the resolver is to be asked.
    ///
    /// # Errors
    /// When the workers' threads cannot be made.
    pub fn new(host: &str, dns: bool, ptr: Option<Begin>) -> io::Result<Self> {
        Ok(Self {
            host: host.into(),
            surroundings: Surroundings::new()?,
            dns: dns.then(Dns::default),
            ptr: ptr.map(Ptr::new).transpose()?,
        })
    }

    /// Takes one record of the kernel side's ring `DNS`. Any bytes will do.
    pub fn hear(&mut self, record: &[u8]) {
        if let Some(dns) = &mut self.dns {
            dns.hear(record);
        }
    }

    /// The name of a peer, and how it is known. All messages that came before the event should have been heard.
    /// `patience` is the longest time that the call may take for what has to be looked up; later ones find it then.
    pub fn name_of(&mut self, peer: &Peer, now_ns: u64, patience: Duration) -> Option<(Arc<str>, NameSource)> {
        let deadline = Instant::now() + patience;
        let Peer { address, process, netns, since_ns, .. } = *peer;
        let answers = self.dns.as_ref().map(Dns::answers);
        let answered = |whose| Some((Arc::clone(answers?.name(address, whose, since_ns)?), NameSource::Dns));
        let from_process = || answered(Whose::Process(process?));
        let from_namespace = || answered(Whose::Namespace(netns.filter(|_| !address.is_loopback())?));
        if let Some(found) = from_process().or_else(from_namespace) {
            return Some(found);
        }
        if let Some(name) = self.surroundings.hosts_name(address, process, netns, now_ns, deadline) {
            return Some((name, NameSource::Hosts));
        }
        if address.is_loopback() || Some(address) == peer.local || self.surroundings.is_own(address, now_ns, deadline) {
            return Some((Arc::clone(&self.host), NameSource::Local));
        }
        let from_anybody = |answers: &Answers| answers.name(address, Whose::Anybody, since_ns).cloned();
        if let Some(name) = self.dns.as_ref().map(Dns::answers).and_then(from_anybody) {
            return Some((name, NameSource::Dns));
        }
        let name = self.ptr.as_mut()?.name(address, now_ns, deadline)?;
        Some((name, NameSource::Ptr))
    }

    /// What was counted until now.
    #[must_use]
    pub fn counts(&self) -> Naming {
        Naming {
            hosts: self.surroundings.counts(),
            dns: self.dns.as_ref().map(Dns::counts),
            ptr: self.ptr.as_ref().map(Ptr::counts),
        }
    }
}

#[cfg(test)]
mod tests;
