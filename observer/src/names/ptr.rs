//! Names by reverse look-up (`--ptr`): this host's resolver is asked, as configured (`nsswitch.conf`), by a worker.
//! A name that is not known yet is missing in the first event about an address, and there in later ones.

use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use dns_lookup::{LookupErrorKind, lookup_addr};

use super::{Begin, hostname::hostname, surroundings::is_over, worker::Worker};
use crate::{event::PtrCounts, recent::Recent};

/// Addresses whose names are remembered.
const MOST_ADDRESSES: usize = 16_384;

/// Look-ups that may wait: a name server that does not answer takes some ten seconds for each.
const QUEUE: usize = 256;

/// How long a name is good: the resolver does not tell its TTL.
const NAMED: Duration = Duration::from_secs(3_600);

/// How long an address stays without a name when it has none.
const UNNAMED: Duration = Duration::from_secs(600);

/// And when there was no answer.
const FAILED: Duration = Duration::from_secs(60);

/// Look-ups a second, and how many may come at once after a pause.
const RATE: u64 = 20;
const BURST: u64 = 50;

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Named(Arc<str>),
    Unnamed,
    Failed,
}

impl Outcome {
    fn good_for(&self) -> Duration {
        match self {
            Self::Named(_) => NAMED,
            Self::Unnamed => UNNAMED,
            Self::Failed => FAILED,
        }
    }
}

/// What is known of an address: nothing while it is looked up.
#[derive(Debug)]
struct Known {
    outcome: Option<Outcome>,
    time_ns: u64,
}

/// The names.
#[derive(Debug)]
pub(super) struct Ptr {
    worker: Worker<IpAddr, (IpAddr, Outcome)>,
    known: Recent<IpAddr, Known>,
    bucket: Bucket,
    counts: PtrCounts,
}

impl Ptr {
    /// Starts the worker, which does this first.
    ///
    /// # Errors
    /// When there can be no other thread.
    pub(super) fn new(begin: Begin) -> io::Result<Self> {
        Self::with(begin, |address| match lookup_addr(&address) {
            Ok(name) => hostname(&name).map_or(Outcome::Unnamed, |name| Outcome::Named(name.into())),
            Err(error) if matches!(error.kind(), LookupErrorKind::NoName) => Outcome::Unnamed,
            Err(_) => Outcome::Failed,
        })
    }

    fn with(begin: Begin, mut resolve: impl FnMut(IpAddr) -> Outcome + Send + 'static) -> io::Result<Self> {
        Ok(Self {
            worker: Worker::start_after("ptr", QUEUE, begin, move |address| (address, resolve(address)))?,
            known: Recent::new(MOST_ADDRESSES),
            bucket: Bucket { tokens: BURST, filled_ns: 0 },
            counts: PtrCounts::default(),
        })
    }

    /// The name of an address. One that is not known is asked for, and waited for until the deadline when nothing
    /// else is being asked.
    pub(super) fn name(&mut self, address: IpAddr, now_ns: u64, deadline: Instant) -> Option<Arc<str>> {
        while let Some(answer) = self.worker.take() {
            self.note(answer, now_ns);
        }
        let fresh = self.known.get(&address).is_some_and(|known| match &known.outcome {
            Some(outcome) => !is_over(outcome.good_for(), known.time_ns, now_ns),
            None => true,
        });
        if !fresh {
            self.ask(address, now_ns, deadline);
        }
        match &self.known.get(&address)?.outcome {
            Some(Outcome::Named(name)) => Some(name.clone()),
            _ => None,
        }
    }

    /// Counters until now.
    pub(super) fn counts(&self) -> PtrCounts {
        self.counts
    }

    fn ask(&mut self, address: IpAddr, now_ns: u64, deadline: Instant) {
        let idle = self.worker.is_idle();
        if !self.bucket.take(now_ns) {
            self.counts.limited += 1;
            return;
        }
        if !self.worker.ask(address) {
            self.counts.dropped += 1;
            return;
        }
        self.counts.asked += 1;
        self.known.insert(address, Known { outcome: None, time_ns: now_ns });
        match idle.then(|| self.worker.wait(deadline)).flatten() {
            Some(answer) => self.note(answer, now_ns),
            None => self.counts.late += 1,
        }
    }

    fn note(&mut self, (address, outcome): (IpAddr, Outcome), now_ns: u64) {
        match outcome {
            Outcome::Named(_) => self.counts.named += 1,
            Outcome::Unnamed => self.counts.unnamed += 1,
            Outcome::Failed => self.counts.failed += 1,
        }
        self.known.insert(address, Known { outcome: Some(outcome), time_ns: now_ns });
    }
}

/// A bucket of tokens.
#[derive(Debug)]
struct Bucket {
    tokens: u64,
    /// Up to when time has been turned into tokens.
    filled_ns: u64,
}

impl Bucket {
    /// Takes a token, if there is one.
    fn take(&mut self, now_ns: u64) -> bool {
        const TOKEN_NS: u64 = 1_000_000_000 / RATE;
        let earned = now_ns.saturating_sub(self.filled_ns) / TOKEN_NS;
        self.filled_ns += earned * TOKEN_NS;
        self.tokens = self.tokens.saturating_add(earned).min(BURST);
        let Some(left) = self.tokens.checked_sub(1) else { return false };
        self.tokens = left;
        true
    }
}

#[cfg(test)]
pub(super) mod tests;
