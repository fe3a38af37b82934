//! Where completed events go besides the stream. Each sink works on a thread of its own behind a bounded queue
//! (`lane`), so that a slow or broken one never slows the others; what its queue has no room for is counted as lost.
//!
//! A new sink is one module with an implementation of `Sink`, its settings in `options/sinks.rs`, and its kind
//! in `Setup`.

mod changed;
mod counts;
mod fan;
#[cfg(test)]
mod example;
mod file;
mod gist;
mod journald;
mod lane;
mod otlp;
mod prometheus;
mod record;
mod syslog;

use anyhow::{Context as _, Error, Result};

pub use counts::{Counts, SinkCount};
pub use fan::{Fan, Lanes, Ledger, Opened};

use crate::{delivery::Delivery, options::Sinks, vitals::Vitals};

/// A way out for events. Its methods may block, for a bounded time: they run on the sink's own thread.
pub(crate) trait Sink: Send {
    /// Called once, before anything else: what must not happen before privileges are given up, such as starting a thread.
    fn begin(&mut self) {}

    /// Delivers the events from a position on.
    ///
    /// # Errors
    /// Where it stopped, and whether to try again from there.
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered>;

    /// How many events go out together at best. Up to so many that wait are delivered at once: a receiver that is far
    /// away takes many as fast as one.
    fn batch(&self) -> usize {
        1
    }

    /// Called about once a second while there is nothing to deliver.
    ///
    /// # Errors
    /// What is wrong, to be told.
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Opens anew what others may have moved away or replaced (SIGHUP).
    ///
    /// # Errors
    /// What is wrong, to be told.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }

    /// Goes on with other settings, if it can without being opened anew: in the sandbox that may not be possible.
    fn adopt(&mut self, _: &Setup) -> bool {
        false
    }

    /// Makes sure that everything delivered is where it belongs. Called once, at the end.
    ///
    /// # Errors
    /// What is wrong, to be told.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What stopped a delivery.
#[derive(Debug)]
pub(crate) struct Undelivered {
    /// Position of the first event that was neither delivered nor refused.
    pub(crate) next: usize,
    /// Events before that one that the receiver will never take: lost.
    pub(crate) refused: u64,
    /// Why.
    pub(crate) error: Error,
}

impl Undelivered {
    /// Everything before `next` is delivered.
    pub(crate) fn at(next: usize, error: impl Into<Error>) -> Self {
        Self { next, refused: 0, error: error.into() }
    }
}

/// What sinks are called.
#[must_use]
pub fn names(sinks: &Sinks) -> Vec<String> {
    Setup::all(sinks).into_iter().map(|setup| setup.name).collect()
}

/// One sink's settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setup {
    /// What it is called in counts and messages: its kind and where it goes.
    pub(crate) name: String,
    /// Bytes of events that may wait.
    pub(crate) queue: u64,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    File(crate::options::FileSink),
    Journald(crate::options::JournaldSink),
    Syslog(crate::options::SyslogSink),
    Otlp(crate::options::OtlpSink),
    Prometheus(crate::options::PrometheusSink),
    Record(crate::options::RecordSink),
}

/// What a sink may look at besides its events.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    /// What the main loop tells of itself.
    vitals: Vitals,
    /// Counters of all sinks.
    ledger: Ledger,
}

impl Setup {
    /// Of every sink.
    pub(crate) fn all(sinks: &Sinks) -> Vec<Self> {
        let files = sinks.file.iter().cloned().map(Kind::File);
        let journals = sinks.journald.iter().cloned().map(Kind::Journald);
        let syslogs = sinks.syslog.iter().cloned().map(Kind::Syslog);
        let otlp = sinks.otlp.iter().cloned().map(Kind::Otlp);
        let metrics = sinks.prometheus.iter().cloned().map(Kind::Prometheus);
        let records = sinks.record.iter().cloned().map(Kind::Record);
        let kinds = files.chain(journals).chain(syslogs).chain(otlp).chain(metrics).chain(records);
        kinds.map(Self::of).collect()
    }

    fn of(kind: Kind) -> Self {
        let (name, queue) = match &kind {
            Kind::File(one) => (format!("file:{}", one.path.display()), one.queue),
            Kind::Journald(one) => (format!("journald:{}", one.socket.display()), one.queue),
            Kind::Syslog(one) => (format!("syslog:{}", one.address), one.queue),
            Kind::Otlp(one) => (format!("otlp:{}", one.endpoint), one.queue),
            Kind::Prometheus(one) => (format!("prometheus:{}", one.listen), one.queue),
            Kind::Record(one) => (format!("record:{}", one.path.display()), one.queue),
        };
        Self { name, queue: queue.0, kind }
    }

    /// Opens what it needs.
    ///
    /// # Errors
    /// When it can never work so; a receiver that cannot be reached now is tried again later instead.
    pub(crate) fn open(&self, around: &Surroundings) -> Result<Box<dyn Sink>> {
        Ok(match &self.kind {
            Kind::File(settings) => Box::new(file::File::open(settings)?),
            Kind::Journald(settings) => Box::new(journald::Journald::open(settings)?),
            Kind::Syslog(settings) => Box::new(syslog::Syslog::open(settings)?),
            Kind::Otlp(settings) => {
                Box::new(otlp::Otlp::open(settings).with_context(|| format!("sink {}", self.name))?)
            }
            Kind::Prometheus(settings) => Box::new(prometheus::Prometheus::open(settings, around)?),
            Kind::Record(settings) => Box::new(record::Record::open(settings)?),
        })
    }
}
