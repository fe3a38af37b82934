//! What is known of one audited namespace.

use std::time::{Duration, Instant};

use super::{counters::Counters, identity, reading::Reading};
use crate::{
    event::{Audit, AuditedCounter},
    kernel::Tally,
    netns::{self, Member},
};

/// An audited namespace.
#[derive(Debug, Default)]
pub(crate) struct Namespace {
    /// By whom it is read, as long as that one lives.
    member: Option<Member>,
    /// When it was read, since boot.
    read: Duration,
    /// The process by which it was read is gone, and nobody vouches for this being the same namespace still.
    doubtful: bool,
    /// What everything later is compared with; None until it could be read.
    base: Option<Base>,
    /// The last reading that was told, or the first one.
    told: Reading,
}

#[derive(Debug)]
struct Base {
    began: Instant,
    reading: Reading,
}

impl Namespace {
    /// The counters before the hooks are attached; None when they cannot be read.
    pub(crate) fn before_attach(member: Member) -> Option<Self> {
        let counters = Counters::read(&member)?;
        let reading = Reading { kernel: [counters; 2], ..Reading::default() };
        let base = Base { began: Instant::now(), reading };
        Some(Self { member: Some(member), read: netns::boot_time(), doubtful: false, base: Some(base), told: reading })
    }

    /// The counters after it; false when they cannot be read any more.
    pub(crate) fn after_attach(&mut self) -> bool {
        let Some(counters) = self.counters() else { return false };
        if let Some(base) = &mut self.base {
            base.reading.kernel[1] = counters;
            self.told = base.reading;
        }
        true
    }

    /// Begins the audit with this reading.
    pub(crate) fn begin(&mut self, reading: Reading) {
        self.base = Some(Base { began: Instant::now(), reading });
        self.told = reading;
        self.doubtful = false;
    }

    /// Whether a reading can be compared with the first one. Inode numbers are given away again: a namespace whose
    /// counters fell is a new one.
    pub(crate) fn continues(&self, reading: &Reading) -> bool {
        self.base.is_some() && !self.doubtful && !reading.kernel[0].restarted_since(&self.told.kernel[0])
    }

    /// Whether there was a first reading.
    pub(crate) fn has_begun(&self) -> bool {
        self.base.is_some()
    }

    /// Reads the counters; None when the member is gone.
    pub(crate) fn counters(&mut self) -> Option<Counters> {
        let counters = self.member.as_ref().and_then(Counters::read);
        match counters {
            Some(_) => self.read = netns::boot_time(),
            None => self.member = None,
        }
        counters
    }

    /// The same with a new member.
    pub(crate) fn moved_to(&mut self, member: Member) -> Option<Counters> {
        self.doubtful |= !member.existed_at(self.read);
        self.member = Some(member);
        self.counters()
    }

    /// Whether acts were seen of which no event has told.
    pub(crate) fn has_news(&self, seen: &Counters) -> bool {
        self.told.seen[1] != *seen
    }

    /// Whether something was counted since the last event.
    pub(crate) fn moved(&self, reading: &Reading) -> bool {
        reading.moved_since(&self.told)
    }

    /// Sum of the absolute residuals.
    pub(crate) fn residual(&self, reading: &Reading, every_reset: bool) -> u64 {
        let base = self.base.as_ref().filter(|_| self.continues(reading));
        base.map_or(0, |base| sum(&reading.judge(&base.reading, every_reset)))
    }

    /// The event of a reading.
    pub(crate) fn audit(&mut self, inode: u32, reading: &Reading, tally: &Tally, every_reset: bool) -> Audit {
        self.told = *reading;
        let base = self.base.as_ref();
        let counters = base.map_or_else(Vec::new, |base| reading.judge(&base.reading, every_reset).to_vec());
        let residual = Some(sum(&counters));
        Audit { interval_ms: self.interval_ms(), counters, residual, ..blank(inode, tally) }
    }

    /// The event of a namespace that nobody is left in, once for what was seen there.
    pub(crate) fn unreadable(&mut self, inode: u32, tally: &Tally) -> Option<Audit> {
        let seen = identity::expected(tally, inode);
        if !self.has_news(&seen) {
            return None;
        }
        self.told.seen = [seen; 2];
        let interval_ms = self.interval_ms();
        Some(Audit { interval_ms, unreadable: true, ..blank(inode, tally) })
    }

    fn interval_ms(&self) -> u64 {
        let elapsed = self.base.as_ref().map_or_else(Default::default, |base| base.began.elapsed());
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

fn blank(namespace: u32, tally: &Tally) -> Audit {
    Audit {
        namespace,
        interval_ms: 0,
        unreadable: false,
        missed: tally.missed,
        overflow: tally.overflow,
        disagreements: tally.disagreements,
        unknown_owners: tally.unknown_owners,
        counters: Vec::new(),
        residual: None,
    }
}

fn sum(counters: &[AuditedCounter]) -> u64 {
    counters.iter().map(|one| one.residual.unsigned_abs()).sum()
}
