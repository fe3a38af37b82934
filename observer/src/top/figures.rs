//! The figures of a moment: what the store counts by process, peer and cause, up to then. Nothing here looks at the clock.

use std::{collections::BTreeMap, rc::Rc};

use anyhow::Result;

use super::totals::Totals;
use crate::{
    severity::Severity,
    store::{Field, Instant, Selection, Store},
};

/// The levels of the tree, the outermost first.
pub(super) const LEVELS: [Field; 3] = [Field::Process, Field::Peer, Field::Cause];

/// What a row of the innermost level is about; None where it is not known.
pub(super) type Leaf = [Option<String>; 3];

/// Bars of a sparkline.
pub(super) const BARS: usize = 30;

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;

/// Nanoseconds that "now" is made of: less would flicker, more would lag.
pub(super) const NOW: i64 = 5 * SECOND;

/// Nanoseconds of a minute.
pub(super) const MINUTE: i64 = 60 * SECOND;

/// Bars that are remembered: what was counted in them does not change any more.
const REMEMBERED: usize = 8 * BARS;

/// Counts up to a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Findings of the last seconds.
    pub(super) now: u64,
    /// Of the last minute.
    pub(super) minute: u64,
    /// Of all time.
    pub(super) total: u64,
    /// Bytes that were left unread, in all.
    pub(super) unread: u64,
    /// The worst severity.
    pub(super) worst: Severity,
    /// When the last one was, or the minute of it; or else a moment before which it was.
    pub(super) last: Instant,
    /// Findings in each part of the window, the oldest first.
    pub(super) bars: [u64; BARS],
}

impl Figures {
    /// The sum of both.
    pub(super) fn add(&mut self, other: &Self) {
        self.now += other.now;
        self.minute += other.minute;
        self.total += other.total;
        self.unread += other.unread;
        self.worst = self.worst.max(other.worst);
        self.last = self.last.max(other.last);
        for (bar, more) in self.bars.iter_mut().zip(other.bars) {
            *bar += more;
        }
    }
}

type Bar = Rc<Vec<(Leaf, u64)>>;

/// Reads figures, and remembers what does not change any more.
#[derive(Default)]
pub(super) struct Reader {
    /// What the bars were counted for.
    basis: Option<(Selection, i64)>,
    bars: BTreeMap<Instant, Bar>,
    totals: Totals,
}

impl Reader {
    /// The figures at `end` with a window of so many nanoseconds before it; what is older than `settled` is not written
    /// any more, `first` is the first event of the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn read(
        &mut self,
        store: &Store,
        selection: &Selection,
        (first, end): (Instant, Instant),
        window: i64,
        settled: Instant,
    ) -> Result<BTreeMap<Leaf, Figures>> {
        let mut found = self.totals.at(store, selection, (first, end), settled)?;
        for (leaf, events) in counted(store, selection, end - NOW, end)? {
            found.entry(leaf).or_default().now = events;
        }
        for (leaf, events) in counted(store, selection, end - MINUTE, end)? {
            found.entry(leaf).or_default().minute = events;
        }
        let width = window / i64::try_from(BARS).unwrap_or(1);
        let basis = Some((selection.within(selection.since, None), width));
        if self.basis != basis {
            self.basis = basis;
            self.bars.clear();
        }
        for (number, start) in starts(end, width).enumerate() {
            for (leaf, events) in self.bar(store, selection, (start, width), end, settled)?.iter() {
                if let Some(figures) = found.get_mut(leaf) {
                    figures.bars[number] = *events;
                }
            }
        }
        Ok(found)
    }

    fn bar(
        &mut self,
        store: &Store,
        selection: &Selection,
        (start, width): (Instant, i64),
        end: Instant,
        settled: Instant,
    ) -> Result<Bar> {
        if let Some(bar) = self.bars.get(&start) {
            return Ok(Rc::clone(bar));
        }
        let until = start + width;
        let bar = Rc::new(counted(store, selection, start, until.min(end))?);
        if until <= end.min(settled) {
            if self.bars.len() >= REMEMBERED {
                self.bars.clear();
            }
            self.bars.insert(start, Rc::clone(&bar));
        }
        Ok(bar)
    }
}

/// Where the bars begin: at multiples of their width, so that they stay the same while time goes on.
fn starts(end: Instant, width: i64) -> impl Iterator<Item = Instant> {
    let last = (end - 1).div_euclid(width) * width;
    let bars = i64::try_from(BARS).unwrap_or(0);
    (0..bars).map(move |number| last - (bars - 1 - number) * width)
}

fn counted(store: &Store, selection: &Selection, since: Instant, until: Instant) -> Result<Vec<(Leaf, u64)>> {
    let since = selection.since.map_or(since, |first| since.max(first));
    if since >= until {
        return Ok(Vec::new());
    }
    let groups = store.groups(&selection.within(Some(since), Some(until)), &LEVELS)?;
    Ok(groups.into_iter().map(|group| (leaf(group.values), group.events)).collect())
}

/// The levels' values of a group.
pub(super) fn leaf(values: Vec<Option<String>>) -> Leaf {
    let mut values = values.into_iter();
    std::array::from_fn(|_| values.next().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::fixture::{START, store};

    fn read(reader: &mut Reader, end: Instant, window: i64) -> BTreeMap<Leaf, Figures> {
        reader.read(&store(), &Selection::default(), (START, end), window, i64::MAX).unwrap()
    }

    #[test]
    fn figures_are_those_of_the_moment() {
        let mut reader = Reader::default();
        let key: Leaf = ["api", "db.example", "close_unread"].map(|name| Some(name.to_owned()));
        let before = &read(&mut reader, START + 30 * SECOND, MINUTE)[&key];
        let after = &read(&mut reader, START + 120 * SECOND, MINUTE)[&key];
        assert_eq!((before.now, before.minute, before.total, before.unread), (5, 30, 30, 30 * 1_000));
        assert_eq!((after.now, after.minute, after.total, after.unread), (0, 0, 60, 60 * 1_000));
        assert_eq!(before.worst, Severity::Harmful);
    }

    #[test]
    fn bars_add_up_to_what_is_in_the_window() {
        let mut reader = Reader::default();
        for end in [START + 60 * SECOND, START + 61 * SECOND + 1, START + 30 * SECOND, START + 60 * SECOND] {
            let found = read(&mut reader, end, MINUTE);
            let bars: u64 = found.values().flat_map(|figures| figures.bars).sum();
            let first = (end - 1).div_euclid(2 * SECOND) * 2 * SECOND - 58 * SECOND;
            let selection = Selection::default().within(Some(first), Some(end));
            assert_eq!(bars, store().count(&selection).unwrap(), "at {end}");
        }
    }

    #[test]
    fn what_is_still_written_is_counted_again() {
        let mut reader = Reader::default();
        let end = START + 60 * SECOND;
        reader.read(&store(), &Selection::default(), (START, end), MINUTE, end - 10 * SECOND).unwrap();
        assert_eq!(reader.bars.len(), BARS - 5, "the bars of the last ten seconds are not remembered");
    }
}
