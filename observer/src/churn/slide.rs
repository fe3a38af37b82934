//! The window slides, by half of its length at a time, so that no boundary hides what happens on both sides of it. A
//! connection counts in one verdict at most, and whoever was told is not told again before a whole window is over.

use std::time::Duration;

use observer_ebpf::{Churn as Count, Pair};

use super::{
    Verdicts, Window, find, select,
    subject::{Key, Told},
    verdict,
};
use crate::clock::Clock;

/// What was counted in half a window.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) counts: Vec<(Pair, Count)>,
    pub(super) length: Duration,
    /// When it began, ns of CLOCK_BOOTTIME.
    pub(super) since_ns: u64,
    /// Beginnings and ends of connections for which there was no room.
    pub(super) uncounted: u64,
}

/// The window.
#[derive(Debug, Default)]
pub(super) struct Slide {
    /// The half before, without what was told at its end; None in the very first one. It holds at most what the kernel
    /// side has room to count.
    before: Option<Half>,
    /// Those rest for a half.
    told: Told,
}

impl Slide {
    /// Half a window is over: the whole one is judged, as soon as there is one. The `last` one may be shorter.
    pub(super) fn step(&mut self, mut half: Half, clock: Clock, last: bool) -> Verdicts {
        let before = match self.before.take() {
            Some(before) => before,
            None if last => Half { counts: Vec::new(), length: Duration::ZERO, uncounted: 0, ..half },
            None => {
                self.before = Some(half);
                return Verdicts::default();
            }
        };
        let told = std::mem::take(&mut self.told);
        let rests = |(pair, count): &(Pair, Count)| told.include(pair, count, before.since_ns);
        let awake = half.counts.iter().filter(|one| !rests(one));
        let window = Window { length: before.length + half.length, since_ns: before.since_ns, clock };
        let uncounted = before.uncounted + half.uncounted;
        let mut found = find(&joined(before.counts, awake), &window);
        if last {
            let resting: Vec<_> = half.counts.iter().filter(|one| rests(one)).copied().collect();
            found.extend(find(&resting, &Window { length: half.length, since_ns: half.since_ns, clock }));
        }
        self.told = found.iter().map(|(subject, _)| subject.clone()).collect();
        half.counts.retain(|(pair, count)| !self.told.include(pair, count, before.since_ns));
        self.before = Some(half);
        select(found, uncounted)
    }
}

fn joined<'a>(mut before: Vec<(Pair, Count)>, now: impl Iterator<Item = &'a (Pair, Count)>) -> Vec<(Pair, Count)> {
    // In place: there may be thousands, and a table of them would be several times as large.
    let key = |(pair, _): &(Pair, Count)| Key::of(pair);
    before.sort_unstable_by_key(key);
    let known = before.len();
    for one in now {
        match before[..known].binary_search_by_key(&key(one), key) {
            Ok(place) => verdict::add(&mut before[place].1, &one.1),
            Err(_) => before.push(*one),
        }
    }
    before
}
