//! The store as a sink.

use anyhow::Result;

use super::{Kind, Setup, Sink, Undelivered};
use crate::{
    delivery::Delivery,
    options::RecordSink,
    store::{Limits, Recorder},
};

/// Events that are written in one transaction at most: what a killed observer may lose.
const BATCH: usize = 4_096;

/// The sink.
pub(super) struct Record {
    settings: RecordSink,
    recorder: Recorder,
}

impl Record {
    /// Opens the store for writing, and makes it where it is missing.
    ///
    /// # Errors
    /// As [`Recorder::open`].
    pub(super) fn open(settings: &RecordSink) -> Result<Self> {
        let recorder = Recorder::open(&settings.path, limits(settings))?;
        Ok(Self { settings: settings.clone(), recorder })
    }
}

fn limits(settings: &RecordSink) -> Limits {
    Limits {
        max_size: Some(settings.max_size.0),
        max_age: Some(u64::try_from(settings.max_age.0.as_nanos()).unwrap_or(u64::MAX)),
    }
}

impl Sink for Record {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        let events = delivery.events();
        let mut from = from;
        while from < events.len() {
            let next = events.len().min(from + BATCH);
            self.recorder.append(&events[from..next]).map_err(|error| Undelivered::at(from, error))?;
            from = next;
            self.recorder.tidy().map_err(|error| Undelivered::at(from, error))?;
        }
        Ok(())
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn idle(&mut self) -> Result<()> {
        self.recorder.tidy().map(drop)
    }

    fn adopt(&mut self, setup: &Setup) -> bool {
        match &setup.kind {
            Kind::Record(settings) if settings.path == self.settings.path => {
                self.recorder.limit(limits(settings));
                self.settings = settings.clone();
                true
            }
            _ => false,
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.recorder.finish()
    }
}
