//! Connections that come and go, judged window by window: who makes a connection to a peer and closes it, again and
//! again. It tells what no close tells by itself: a small body that is closed without being read ends with FIN, no RST,
//! and the connection is still never used again.

mod advice;
mod program;
mod slide;
mod subject;
mod verdict;

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use observer_ebpf::{Churn as Count, Pair};

pub use advice::on as advice;
use slide::{Half, Slide};
use subject::{Key, Subject};

use crate::{
    clock::{self, Clock},
    event::Churn,
    options::Options,
};

/// Most pairs of process and peer that are told of a window.
const TOLD: usize = 64;

/// The window that is judged.
struct Window {
    length: Duration,
    /// When it began, ns of CLOCK_BOOTTIME.
    since_ns: u64,
    clock: Clock,
}

/// What came of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Those that are told, the busiest first.
    pub told: Vec<Churn>,
    /// How many more there were.
    pub beyond: u64,
}

/// The sliding window of one run.
#[derive(Debug)]
pub struct Windows {
    /// None when nothing is judged.
    length: Option<Duration>,
    slide: Slide,
    /// When its newer half began.
    began: Instant,
    /// Connections that were not counted before that.
    uncounted: u64,
}

impl Windows {
    /// The first window begins.
    #[must_use]
    pub fn begin(options: &Options) -> Self {
        Self { length: options.churn, slide: Slide::default(), began: Instant::now(), uncounted: 0 }
    }

    /// Whether anything is judged.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        self.length.is_some()
    }

    /// Whether half a window is over.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.length.is_some_and(|length| self.began.elapsed() >= length / 2)
    }

    /// Takes what was counted since the last time, and judges the window that ends here. `uncounted` is the sum over the
    /// run. After the `last` time nothing more is told.
    pub fn slide(&mut self, counts: Vec<(Pair, Count)>, uncounted: u64, last: bool) -> Verdicts {
        let length = self.began.elapsed();
        self.began = Instant::now();
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let since_ns = clock::boot_ns().saturating_sub(length_ns);
        let uncounted = uncounted.saturating_sub(std::mem::replace(&mut self.uncounted, uncounted));
        self.slide.step(Half { counts, length, since_ns, uncounted }, Clock::read(), last)
    }
}

/// Whatever is to be told of one window.
fn find(counts: &[(Pair, Count)], window: &Window) -> Vec<(Subject, Churn)> {
    let alone =
        |(pair, count): &(Pair, Count)| Some((Subject::Process(Key::of(pair)), verdict::of(pair, count, window)?));
    let together = program::verdicts(counts, window).into_iter();
    counts.iter().filter_map(alone).chain(together.map(|(one, churn)| (Subject::Program(one), churn))).collect()
}

/// The busiest of them.
fn select(found: Vec<(Subject, Churn)>, uncounted: u64) -> Verdicts {
    let mut told: Vec<Churn> = found.into_iter().map(|(_, churn)| churn).collect();
    told.sort_by_key(|one| (Reverse(one.connections.closed), one.process.pid, one.network.peer.port));
    let beyond = told.len().saturating_sub(TOLD) as u64;
    told.truncate(TOLD);
    for one in &mut told {
        one.beyond = (beyond > 0).then_some(beyond);
        one.uncounted = (uncounted > 0).then_some(uncounted);
    }
    Verdicts { told, beyond }
}

#[cfg(test)]
mod tests;
