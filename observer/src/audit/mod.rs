//! Holds the totals to the kernel's own counters, namespace by namespace. What does not add up is told as a residual.
//!
//! Its order: 1. `start` before the hooks are attached, 2. `begin` after it: acts in between may be on either side,
//! 3. `meet` now and then, for namespaces that are new, 4. `audit` at every interval, 5. `pause` before the hooks are
//! detached, 6. `finish` when they are gone.

mod counters;
mod identity;
mod namespace;
mod reading;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use self::{
    counters::{Counter, Counters},
    namespace::Namespace,
    reading::Reading,
};
use crate::{
    event::Audit,
    kernel::Tally,
    netns::{self, Member},
    options::Options,
};

/// Between two readings that belong together: longer than the kernel needs from counting an act to telling the hooks,
/// or from telling them to counting it.
const SETTLE: Duration = Duration::from_millis(1);

/// Pauses before a namespace that shows a residual is read again: a task may have been preempted in the middle of an
/// act, and then the difference goes away.
const AGAIN: [Duration; 3] = [Duration::from_millis(2), Duration::from_millis(5), Duration::from_millis(10)];

/// SNMP names of the counters that audits may tell of.
pub(crate) fn counters() -> impl Iterator<Item = &'static str> {
    Counter::ALL.iter().map(|counter| counter.name())
}

/// The audits of one run.
#[derive(Debug)]
pub struct Auditor {
    /// None when no audit is wanted.
    interval: Option<Duration>,
    /// When the next one is due.
    due: Option<Instant>,
    /// Namespaces of `--netns`; empty for all.
    only: BTreeSet<u32>,
    /// The kernel tells every RST.
    every_reset: bool,
    namespaces: BTreeMap<u32, Namespace>,
    /// Counters just before the hooks were detached.
    last: BTreeMap<u32, Counters>,
}

impl Auditor {
    /// Reads the counters of every namespace that some process is in.
    #[must_use]
    pub fn start(options: &Options) -> Self {
        let only: BTreeSet<u32> = options.filters.netns.iter().copied().collect();
        let members = match options.audit {
            Some(_) => netns::chosen(&only),
            None => BTreeMap::new(),
        };
        let read = |member: Member| Some((member.inode(), Namespace::before_attach(member)?));
        let namespaces = members.into_values().filter_map(read).collect();
        Self { interval: options.audit, due: None, only, every_reset: false, namespaces, last: BTreeMap::new() }
    }

    /// Keeps to other namespaces from here on; none for all.
    pub fn keep_to(&mut self, namespaces: &[u32]) {
        self.only = namespaces.iter().copied().collect();
    }

    /// Reads the counters again, now that the hooks are attached.
    pub fn begin(&mut self, every_reset: bool) {
        self.every_reset = every_reset;
        self.due = self.interval.map(|interval| Instant::now() + interval);
        self.settle();
        self.namespaces.retain(|_, namespace| namespace.after_attach());
    }

    /// Whether it is time for an audit.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    /// Begins with namespaces that are in the totals for the first time.
    ///
    /// # Errors
    /// When the totals cannot be read.
    pub fn meet(&mut self, tally: &Tally, totals: impl FnMut() -> Result<Tally>) -> Result<()> {
        if self.interval.is_none() {
            return Ok(());
        }
        let inodes = tally.totals.iter().map(|entry| entry.netns);
        let audited = |inode: &u32| *inode != 0 && (self.only.is_empty() || self.only.contains(inode));
        let new: BTreeSet<u32> = inodes.filter(audited).filter(|inode| !self.namespaces.contains_key(inode)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.namespaces.extend(new.iter().map(|inode| (*inode, Namespace::default())));
        for (inode, reading) in self.read(&new, totals)? {
            if let Some(namespace) = self.namespaces.get_mut(&inode) {
                namespace.begin(reading);
            }
        }
        Ok(())
    }

    /// Audits every namespace in which something was counted since it was last audited.
    ///
    /// # Errors
    /// When the totals cannot be read.
    pub fn audit(&mut self, mut totals: impl FnMut() -> Result<Tally>) -> Result<Vec<Audit>> {
        self.due = self.interval.map(|interval| Instant::now() + interval);
        self.meet(&totals()?, &mut totals)?;
        let known = self.namespaces.keys().copied().collect();
        let mut readings = self.read(&known, &mut totals)?;
        for pause in AGAIN {
            let doubtful = self.doubtful(&readings);
            if doubtful.is_empty() {
                break;
            }
            sleep(pause);
            for (inode, again) in self.read(&doubtful, &mut totals)? {
                readings.insert(inode, again);
            }
        }
        let tally = totals()?;
        Ok(self.tell(&readings, &tally))
    }

    /// Reads the counters for the last time that the hooks are attached.
    pub fn pause(&mut self, tally: &Tally) {
        let known = self.namespaces.keys().copied().collect();
        self.last = self.counters(&known, tally);
        self.settle();
    }

    /// The last audits: the hooks are gone, so the totals stay as they are.
    pub fn finish(&mut self, tally: &Tally) -> Vec<Audit> {
        self.settle();
        let known = self.namespaces.keys().copied().collect();
        let mut readings = BTreeMap::new();
        for (inode, after) in self.counters(&known, tally) {
            if let Some(before) = self.last.get(&inode) {
                let seen = identity::expected(tally, inode);
                readings.insert(inode, Reading { kernel: [*before, after], seen: [seen; 2] });
            }
        }
        self.tell(&readings, tally)
    }

    /// Lets what is under way be counted on both sides.
    fn settle(&self) {
        if !self.namespaces.is_empty() {
            sleep(SETTLE);
        }
    }

    /// Readings of these namespaces, as far as somebody is left in them.
    fn read(
        &mut self,
        inodes: &BTreeSet<u32>,
        mut totals: impl FnMut() -> Result<Tally>,
    ) -> Result<BTreeMap<u32, Reading>> {
        let early = totals()?;
        sleep(SETTLE);
        let kernel = self.counters(inodes, &early);
        sleep(SETTLE);
        let late = totals()?;
        let reading = |(inode, counters): (u32, Counters)| {
            let seen = [&early, &late].map(|tally| identity::expected(tally, inode));
            (inode, Reading { kernel: [counters; 2], seen })
        };
        Ok(kernel.into_iter().map(reading).collect())
    }

    /// Counters of these namespaces. Where the process has ended by which they were read, another one is looked for, if
    /// anything was seen there.
    fn counters(&mut self, inodes: &BTreeSet<u32>, tally: &Tally) -> BTreeMap<u32, Counters> {
        let mut found = BTreeMap::new();
        let mut deserted = BTreeSet::new();
        for inode in inodes {
            let Some(namespace) = self.namespaces.get_mut(inode) else { continue };
            if let Some(counters) = namespace.counters() {
                found.insert(*inode, counters);
            } else if namespace.has_news(&identity::expected(tally, *inode)) {
                deserted.insert(*inode);
            }
        }
        if !deserted.is_empty() {
            for (inode, member) in netns::find(&deserted) {
                let counters = self.namespaces.get_mut(&inode).and_then(|namespace| namespace.moved_to(member));
                found.extend(counters.map(|counters| (inode, counters)));
            }
        }
        found
    }

    /// Namespaces that show a residual.
    fn doubtful(&self, readings: &BTreeMap<u32, Reading>) -> BTreeSet<u32> {
        let shows_residual = |(inode, reading): &(&u32, &Reading)| {
            self.namespaces.get(inode).is_some_and(|namespace| namespace.residual(reading, self.every_reset) > 0)
        };
        readings.iter().filter(shows_residual).map(|(inode, _)| *inode).collect()
    }

    /// Events of the namespaces in which something moved, and of those where acts were seen, but nobody is left.
    fn tell(&mut self, readings: &BTreeMap<u32, Reading>, tally: &Tally) -> Vec<Audit> {
        let mut audits = Vec::new();
        for (inode, namespace) in &mut self.namespaces {
            match readings.get(inode) {
                Some(reading) if namespace.continues(reading) => {
                    if namespace.moved(reading) {
                        audits.push(namespace.audit(*inode, reading, tally, self.every_reset));
                    }
                }
                Some(reading) => {
                    if namespace.has_begun() {
                        audits.extend(namespace.unreadable(*inode, tally));
                    }
                    namespace.begin(*reading);
                }
                None => audits.extend(namespace.unreadable(*inode, tally)),
            }
        }
        audits
    }
}
