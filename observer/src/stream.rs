//! The stream of a run: numbers events, counts what was received, told and lost, and balances the books.

use std::{collections::BTreeMap, mem, sync::Arc};

use crate::{
    cause::Cause,
    churn::Verdicts,
    clock::{Clock, wall_now},
    decode::{Addresses, Decoded, Decoder},
    delivery::EVENT_BYTES,
    diagnose::diagnose,
    event::{
        Audit, Body, ChurnBalance, CoverageLimit, DnsCounts, Event, Filters, Hooks, Loss, LostCount, Naming,
        RefusedHook, Reloaded, SCHEMA, Sandbox, Started, Stopped, SymbolCounts, TotalCount,
    },
    kernel::{Attached, Reasons, Tally},
    message::thousands,
    options::{FilterSet, Options},
    pairs::Pairs,
    severity::Severity,
    sink::{self, SinkCount},
};

/// What was read from the kernel side at one time.
#[derive(Debug, Default)]
pub struct Batch {
    /// Steps in the lives of processes, as bytes. Whoever is named in an event of this batch has begun in this one or an
    /// earlier one.
    pub lives: Vec<Vec<u8>>,
    /// DNS messages, as bytes: all that passed before the last event, and maybe some that came after.
    pub dns: Vec<Vec<u8>>,
    /// Events in their order.
    pub told: Vec<Decoded>,
    /// Their stacks.
    pub words: Vec<u64>,
}

impl Batch {
    /// Takes all that is in it. What comes next has room for as many events.
    fn take(&mut self) -> Self {
        let (told, words) = (self.told.len(), self.words.len());
        let next = Self { told: Vec::with_capacity(told), words: Vec::with_capacity(words), ..Self::default() };
        mem::replace(self, next)
    }
}

/// State of a stream.
pub struct Stream<'a> {
    count: Option<u64>,
    decoder: Decoder<'a>,
    seq: u64,
    received: u64,
    malformed: u64,
    shown: u64,
    /// Losses told so far, by cause.
    lost: BTreeMap<u8, u64>,
    /// Losses of sinks told so far, by name.
    lost_by_sinks: BTreeMap<String, u64>,
    /// Findings below this are not told.
    severity: Severity,
    below_severity: u64,
    beyond_count: u64,
    fail_on: Vec<Cause>,
    failed: bool,
    /// What was read and waits to be taken.
    batch: Batch,
    /// Bytes of lives and DNS messages among it.
    other_bytes: usize,
    pairs: Pairs,
    /// None when no churn is looked for.
    churn: Option<ChurnBalance>,
}

impl<'a> Stream<'a> {
    /// An empty stream.
    #[must_use]
    pub fn new(options: &Options, reasons: &'a Reasons) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            count: options.count,
            decoder: Decoder::new(Clock::read(), reasons, &host),
            seq: 0,
            received: 0,
            malformed: 0,
            shown: 0,
            lost: BTreeMap::new(),
            lost_by_sinks: BTreeMap::new(),
            severity: options.filters.severity,
            below_severity: 0,
            beyond_count: 0,
            fail_on: options.fail_on.clone(),
            failed: false,
            batch: Batch::default(),
            other_bytes: 0,
            pairs: Pairs::default(),
            churn: options.churn.map(|_| ChurnBalance::default()),
        }
    }

    /// Bytes that wait, about, once they are rendered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.batch.told.len() * EVENT_BYTES + self.other_bytes
    }

    /// Takes what waits. The two ends of a RST are usually among it.
    pub fn take(&mut self) -> Batch {
        self.other_bytes = 0;
        let mut batch = self.batch.take();
        for decoded in &mut batch.told {
            if let Some(process) = self.pairs.counterpart(&decoded.event)
                && let Some(finding) = decoded.event.body.finding_mut()
            {
                finding.counterpart = Some(Arc::clone(process));
            }
        }
        batch
    }

    /// Records that came, and those of them that could not be decoded.
    #[must_use]
    pub fn received(&self) -> (u64, u64) {
        (self.received, self.malformed)
    }

    /// As many findings were told as were asked for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    /// Reads the clocks again.
    pub fn refresh_clock(&mut self) {
        self.decoder.set_clock(self.decoder.clock().read_again());
    }

    /// One record from the ring. Beyond `--count`, or below `--severity`, it is received, but not told.
    pub fn record(&mut self, bytes: &[u8]) {
        self.received += 1;
        let words = self.batch.words.len();
        match self.decoder.decode(bytes, self.seq, &mut self.batch.words) {
            Ok(decoded) if self.is_wanted(&decoded.event) => self.batch.told.push(decoded),
            Ok(_) => self.batch.words.truncate(words),
            Err(error) => {
                self.batch.words.truncate(words);
                self.malformed += 1;
                diagnose(format_args!("a record from the kernel could not be decoded ({error}); please report it"));
            }
        }
    }

    /// One step of a process's life.
    pub fn life(&mut self, bytes: &[u8]) {
        self.other_bytes += bytes.len();
        self.batch.lives.push(bytes.to_owned());
    }

    /// One DNS message.
    pub fn dns(&mut self, bytes: &[u8]) {
        self.other_bytes += bytes.len();
        self.batch.dns.push(bytes.to_owned());
    }

    /// Whether a finding is told: then it is counted so, and has its number.
    fn is_wanted(&mut self, event: &Event) -> bool {
        let Some(finding) = event.body.finding() else { return false };
        self.pairs.meet(event);
        if finding.severity < self.severity {
            self.below_severity += 1;
            return false;
        }
        if self.is_full() {
            self.beyond_count += 1;
            return false;
        }
        self.failed |= self.fail_on.contains(&finding.cause);
        self.seq += 1;
        self.shown += 1;
        true
    }

    /// A cause of `--fail-on` passed the filters.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    fn tell(&mut self, body: Body) {
        let event = Event {
            schema: SCHEMA.into(),
            seq: self.seq,
            time: wall_now(),
            message: None,
            host: self.decoder.host().clone(),
            body,
        };
        self.seq += 1;
        self.batch.told.push(Decoded { event, time_ns: 0, addresses: Addresses::default() });
    }

    /// The first line.
    pub fn started(&mut self, options: &Options, attached: &Attached, sandbox: Sandbox) {
        self.tell(Body::Started(Box::new(Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            hooks: hooks(options, attached),
            filters: filters(&options.filters),
            sandbox: Some(sandbox),
            ring_bytes: options.ring_bytes,
            stack_depth: options.stack_depth,
        })));
    }

    /// Goes on with other filters, and tells so.
    pub fn reloaded(&mut self, options: &Options, needs_restart: Vec<String>) {
        self.severity = options.filters.severity;
        self.tell(Body::Reloaded(Box::new(Reloaded {
            filters: filters(&options.filters),
            sinks: sink::names(&options.sinks),
            needs_restart,
        })));
    }

    /// Tells what was lost since the last time.
    pub fn losses(&mut self, tally: &Tally) {
        let lost = tally.lost_by_cause();
        let mut news = Vec::new();
        for (code, total) in &lost {
            let count = total - self.lost.get(code).copied().unwrap_or(0);
            if count > 0 {
                news.push(LostCount { cause: cause(*code), count });
            }
        }
        if !news.is_empty() {
            self.tell(Body::Loss(Loss {
                place: "ring".to_owned(),
                sink: None,
                lost: news.iter().map(|one| one.count).sum(),
                causes: news,
                total_lost: lost.values().sum(),
            }));
        }
        self.lost = lost;
    }

    /// Tells what sinks have lost since the last time.
    pub fn sink_losses(&mut self, sinks: &[SinkCount]) {
        for sink in sinks {
            let told = self.lost_by_sinks.get(&sink.name).copied().unwrap_or(0);
            // A sink that has begun anew under its old name begins to count anew.
            let news = sink.lost.checked_sub(told).unwrap_or(sink.lost);
            if news > 0 {
                self.tell(Body::Loss(Loss {
                    place: "sink".to_owned(),
                    sink: Some(sink.name.clone()),
                    lost: news,
                    causes: Vec::new(),
                    total_lost: sink.lost,
                }));
            }
            self.lost_by_sinks.insert(sink.name.clone(), sink.lost);
        }
    }

    /// Told and lost so far, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |lost: &mut dyn Iterator<Item = &u64>| thousands(lost.sum());
        let (ring, sinks) = (count(&mut self.lost.values()), count(&mut self.lost_by_sinks.values()));
        format!("findings told: {}; lost: {ring} by the ring, {sinks} by sinks", thousands(self.shown))
    }

    /// Tells what audits have found.
    pub fn audits(&mut self, audits: Vec<Audit>) {
        for audit in audits {
            self.tell(Body::Audit(audit));
        }
    }

    /// Tells the verdicts on connections that come and go.
    pub fn churn(&mut self, verdicts: Verdicts) {
        let balance = self.churn.get_or_insert_default();
        balance.beyond += verdicts.beyond;
        let (wanted, below): (Vec<_>, Vec<_>) =
            verdicts.told.into_iter().partition(|one| one.severity >= self.severity);
        balance.told += wanted.len() as u64;
        balance.below_severity += below.len() as u64;
        for one in wanted {
            self.tell(Body::Churn(Box::new(one)));
        }
    }

    /// The last lines.
    pub fn stopped(&mut self, reason: &str, tally: &Tally) {
        self.losses(tally);
        let totals = tally.totals.iter().map(|entry| TotalCount {
            namespace: (entry.netns != 0).then_some(entry.netns),
            cause: cause(entry.cause),
            acts: entry.total.acts,
            resets: entry.total.resets,
            answers: entry.total.answers,
            unread_bytes: entry.total.unread_bytes,
            submitted: entry.total.submitted,
            lost: entry.total.lost,
        });
        self.tell(Body::Stopped(Box::new(Stopped {
            reason: reason.to_owned(),
            submitted: tally.submitted(),
            received: self.received,
            lost: tally.lost(),
            malformed: self.malformed,
            disagreements: tally.disagreements,
            unattributed: tally.unattributed,
            unknown_owners: tally.unknown_owners,
            below_severity: self.below_severity,
            beyond_count: self.beyond_count,
            missed: tally.missed,
            overflow: tally.overflow,
            process_hits: 0,
            process_misses: 0,
            unknown_processes: 0,
            lost_processes: tally.lost_processes,
            naming: naming(tally),
            symbols: SymbolCounts::default(), // the attribute stage knows
            sinks: Vec::new(),                // so it does
            churn: self.churn.map(|balance| ChurnBalance { uncounted: tally.uncounted, ..balance }),
            totals: totals.collect(),
        })));
    }
}

/// What the kernel side has counted of it.
fn naming(tally: &Tally) -> Naming {
    let dns = DnsCounts { lost: tally.lost_dns, too_long: tally.long_dns, ..DnsCounts::default() };
    Naming { dns: Some(dns), ..Naming::default() }
}

fn cause(code: u8) -> Cause {
    Cause::of(code).unwrap_or(Cause::Unclassified)
}

fn hooks(options: &Options, attached: &Attached) -> Hooks {
    let refused = attached.refused.iter().map(|one| RefusedHook {
        plan: one.plan.name().to_owned(),
        hook: one.hook.clone(),
        error: one.error.clone(),
    });
    let coverage =
        attached.coverage.iter().map(|one| CoverageLimit { what: one.what.clone(), limit: one.limit.clone() });
    Hooks {
        plan: attached.plan.name().to_owned(),
        requested: options.hooks.to_string(),
        attached: attached.hooks.clone(),
        refused: refused.collect(),
        coverage: coverage.collect(),
        missing_fields: attached.missing_fields.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn filters(set: &FilterSet) -> Filters {
    Filters {
        pid: set.pids.clone(),
        children: set.children,
        comm: set.comms.clone(),
        uid: set.uids.clone(),
        port: set.ports.clone(),
        peer: set.peers.iter().map(ToString::to_string).collect(),
        netns: set.netns.clone(),
        cause: set.causes.clone(),
        severity: set.severity,
        min_unread: set.min_unread,
        all_closes: set.all_closes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_is_taken_leaves_room_for_another_of_its_size() {
        let mut batch = Batch { words: vec![7; 100], lives: vec![vec![1]], ..Batch::default() };
        let taken = batch.take();
        assert_eq!((taken.words.len(), taken.lives.len()), (100, 1));
        assert_eq!((batch.words.len(), batch.lives.len()), (0, 0));
        assert!(batch.words.capacity() >= 100);
    }
}
