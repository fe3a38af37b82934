//! The stream of a run as lines: numbers events, counts what was received, told and lost, and balances the books.

use std::collections::BTreeMap;

use crate::{
    cause::Cause,
    clock::{Clock, wall_now},
    decode::Decoder,
    diagnose::diagnose,
    event::{
        Audit, Body, CoverageLimit, Event, Filters, Hooks, Host, Loss, LostCount, RefusedHook, SCHEMA, Started,
        Stopped, TotalCount,
    },
    kernel::{Attached, Reasons, Tally},
    message,
    options::{FilterSet, Format, Options},
    pairs::Pairs,
    render,
    severity::Severity,
};

/// What a finding takes as a line, about.
const EVENT_BYTES: usize = 1 << 10;

/// State of a stream.
pub struct Stream<'a> {
    format: Format,
    count: Option<u64>,
    reasons: &'a Reasons,
    host: String,
    clock: Clock,
    seq: u64,
    /// Rendered lines that wait to be taken.
    buffer: Vec<u8>,
    received: u64,
    malformed: u64,
    shown: u64,
    /// Losses told so far, by cause.
    lost: BTreeMap<u8, u64>,
    /// Findings below this are not told.
    severity: Severity,
    below_severity: u64,
    beyond_count: u64,
    fail_on: Vec<Cause>,
    failed: bool,
    /// Findings that are not rendered yet.
    batch: Vec<Event>,
    pairs: Pairs,
}

impl<'a> Stream<'a> {
    /// An empty stream.
    #[must_use]
    pub fn new(options: &Options, reasons: &'a Reasons) -> Self {
        Self {
            format: options.format,
            count: options.count,
            reasons,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            clock: Clock::read(),
            seq: 0,
            buffer: Vec::new(),
            received: 0,
            malformed: 0,
            shown: 0,
            lost: BTreeMap::new(),
            severity: options.filters.severity,
            below_severity: 0,
            beyond_count: 0,
            fail_on: options.fail_on.clone(),
            failed: false,
            batch: Vec::new(),
            pairs: Pairs::default(),
        }
    }

    /// Rendered bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.buffer.len() + self.batch.len() * EVENT_BYTES
    }

    /// Takes the rendered lines.
    pub fn take(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.buffer)
    }

    /// As many findings were told as were asked for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    /// Reads the clocks again.
    pub fn refresh_clock(&mut self) {
        self.clock = Clock::read();
    }

    /// One record from the ring. Beyond `--count`, or below `--severity`, it is received, but not told.
    pub fn record(&mut self, bytes: &[u8]) {
        self.received += 1;
        let decoder = Decoder { clock: self.clock, reasons: self.reasons, host: &self.host };
        match decoder.decode(bytes, self.seq) {
            Ok(event) => self.finding(event),
            Err(error) => {
                self.malformed += 1;
                diagnose(format_args!("a record from the kernel could not be decoded ({error}); please report it"));
            }
        }
    }

    fn finding(&mut self, event: Event) {
        let Some(finding) = event.body.finding() else { return };
        self.pairs.meet(&event);
        if finding.severity < self.severity {
            self.below_severity += 1;
            return;
        }
        if self.is_full() {
            self.beyond_count += 1;
            return;
        }
        self.failed |= self.fail_on.contains(&finding.cause);
        self.seq += 1;
        self.shown += 1;
        self.batch.push(event);
    }

    /// Renders the findings received so far. The two ends of a RST are usually among them.
    pub fn settle(&mut self) {
        for mut event in std::mem::take(&mut self.batch) {
            if let Some(process) = self.pairs.counterpart(&event).cloned() {
                if let Some(finding) = event.body.finding_mut() {
                    finding.counterpart = Some(process);
                }
                event.message = message::of(&event.body);
            }
            render::line(self.format, &event, &mut self.buffer);
        }
    }

    /// A cause of `--fail-on` passed the filters.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    fn tell(&mut self, body: Body) {
        self.settle();
        let event = Event {
            schema: SCHEMA.to_owned(),
            seq: self.seq,
            time: wall_now(),
            message: message::of(&body),
            host: Host { name: self.host.clone() },
            body,
        };
        self.seq += 1;
        render::line(self.format, &event, &mut self.buffer);
    }

    /// The first line.
    pub fn started(&mut self, options: &Options, attached: &Attached) {
        self.tell(Body::Started(Box::new(Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            hooks: hooks(options, attached),
            filters: filters(&options.filters),
            ring_bytes: options.ring_bytes,
            stack_depth: options.stack_depth,
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
                lost: news.iter().map(|one| one.count).sum(),
                causes: news,
                total_lost: lost.values().sum(),
            }));
        }
        self.lost = lost;
    }

    /// Tells what audits have found.
    pub fn audits(&mut self, audits: Vec<Audit>) {
        for audit in audits {
            self.tell(Body::Audit(audit));
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
            totals: totals.collect(),
        })));
    }
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
