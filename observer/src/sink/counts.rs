//! What a sink was given, and what became of it: `accepted = delivered + lost + waiting`.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::event::SinkBalance;

/// Counters of one sink, shared by its queue, its thread and whoever asks.
#[derive(Debug, Default)]
pub struct Counts {
    name: String,
    accepted: AtomicU64,
    delivered: AtomicU64,
    lost: AtomicU64,
    retries: AtomicU64,
    down: AtomicBool,
    error: Mutex<Option<String>>,
}

/// The counters of one sink at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCount {
    /// Its name.
    pub name: String,
    /// Events that were to go there.
    pub accepted: u64,
    /// Of those, the ones that it took.
    pub delivered: u64,
    /// Of those, the ones that the queue had no room for, or that the receiver refused.
    pub lost: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// What is wrong now.
    pub error: Option<String>,
}

impl SinkCount {
    /// Events in the queue.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.accepted.saturating_sub(self.delivered + self.lost)
    }

    /// As it is told at the end.
    #[must_use]
    pub fn balance(self) -> SinkBalance {
        SinkBalance {
            waiting: self.waiting(),
            name: self.name,
            accepted: self.accepted,
            delivered: self.delivered,
            lost: self.lost,
            retries: self.retries,
        }
    }
}

impl Counts {
    /// Nothing yet.
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The counters now.
    #[must_use]
    pub fn read(&self) -> SinkCount {
        // What was delivered or lost had been accepted before.
        let (delivered, lost) = (self.delivered.load(Relaxed), self.lost.load(Relaxed));
        SinkCount {
            name: self.name.clone(),
            accepted: self.accepted.load(Relaxed).max(delivered + lost),
            delivered,
            lost,
            retries: self.retries.load(Relaxed),
            error: self.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(crate) fn accept(&self, events: u64) {
        self.accepted.fetch_add(events, Relaxed);
    }

    pub(crate) fn deliver(&self, events: u64) {
        self.delivered.fetch_add(events, Relaxed);
    }

    pub(crate) fn lose(&self, events: u64) {
        self.lost.fetch_add(events, Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Notes that it does not work; whether that is news.
    pub(crate) fn fail(&self, error: String) -> bool {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        !self.down.swap(true, Relaxed)
    }

    /// Notes that it works; whether that is news.
    pub(crate) fn work(&self) -> bool {
        let news = self.down.swap(false, Relaxed);
        if news {
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        news
    }
}
