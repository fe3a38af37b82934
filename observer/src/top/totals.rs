//! What was counted in all up to a moment. To count all of a large store takes seconds, so the counts are kept, and go
//! with the moment: what comes in between is added, or taken off again.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::figures::{Figures, LEVELS, Leaf, MINUTE, leaf};
use crate::{
    severity::Severity,
    store::{Field, Instant, Selection, Store},
};

/// Nanoseconds of the oldest events that may have been removed from the store before all is counted anew.
const FORGOTTEN: i64 = 5 * MINUTE;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    events: u64,
    unread: u64,
    last: Instant,
}

type Counts = HashMap<(Leaf, Severity), Count>;

/// Counts up to a minute.
#[derive(Debug)]
struct Sum {
    selection: Selection,
    /// The first event that there was.
    first: Instant,
    until: Instant,
    counts: Counts,
}

/// Counts in all.
#[derive(Debug, Default)]
pub(super) struct Totals {
    sum: Option<Sum>,
}

impl Totals {
    /// The counts at `end`; what is older than `settled` is not written any more, `first` is the first event of the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn at(
        &mut self,
        store: &Store,
        selection: &Selection,
        (first, end): (Instant, Instant),
        settled: Instant,
    ) -> Result<BTreeMap<Leaf, Figures>> {
        let selection = selection.within(selection.since, None);
        let until = end.min(settled).div_euclid(MINUTE) * MINUTE;
        let sum = match self.sum.take().filter(|sum| sum.serves(&selection, first, until)) {
            Some(sum) => sum.moved(store, until)?,
            None => Sum { counts: counted(store, &selection, i64::MIN, until)?, selection, first, until },
        };
        let mut found: BTreeMap<Leaf, Figures> = BTreeMap::new();
        let rest = counted(store, &sum.selection, until, end)?;
        for ((leaf, worst), count) in sum.counts.iter().chain(&rest) {
            let Count { events, unread, last } = *count;
            let figures = Figures { total: events, unread, worst: *worst, last, ..Figures::default() };
            found.entry(leaf.clone()).or_default().add(&figures);
        }
        self.sum = Some(sum);
        Ok(found)
    }
}

impl Sum {
    /// Whether going from here is less work than to count anew.
    fn serves(&self, selection: &Selection, first: Instant, until: Instant) -> bool {
        self.selection == *selection
            && first.saturating_sub(self.first) <= FORGOTTEN
            && self.until.saturating_sub(until) <= until.saturating_sub(first)
    }

    fn moved(mut self, store: &Store, until: Instant) -> Result<Self> {
        for (key, more) in counted(store, &self.selection, self.until, until)? {
            let count = self.counts.entry(key).or_default();
            count.events += more.events;
            count.unread += more.unread;
            count.last = count.last.max(more.last);
        }
        for (key, less) in counted(store, &self.selection, until, self.until)? {
            let Some(count) = self.counts.get_mut(&key) else { continue };
            count.events = count.events.saturating_sub(less.events);
            count.unread = count.unread.saturating_sub(less.unread);
            // It was no later than this.
            count.last = count.last.min(until);
        }
        self.counts.retain(|_, count| count.events > 0);
        self.until = until;
        Ok(self)
    }
}

/// Counts of a time, which may be none.
fn counted(store: &Store, selection: &Selection, since: Instant, until: Instant) -> Result<Counts> {
    let since = Some(since).filter(|since| *since != i64::MIN).max(selection.since);
    let mut counts = Counts::new();
    if since.is_some_and(|since| since >= until) {
        return Ok(counts);
    }
    let mut by = LEVELS.to_vec();
    by.push(Field::Severity);
    let selection = selection.within(since, Some(until));
    store.sum(&selection)?;
    for group in store.groups(&selection, &by)? {
        let severity = group.values.last().and_then(Option::as_deref).and_then(|name| name.parse().ok());
        let count = Count { events: group.events, unread: group.unread_bytes, last: group.last };
        counts.insert((leaf(group.values), severity.unwrap_or_default()), count);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::{
        figures::SECOND,
        fixture::{START, store},
    };

    #[test]
    fn wherever_the_moment_goes_the_counts_are_those_of_a_new_count() {
        let store = store();
        let mut totals = Totals::default();
        let without_last = |mut found: BTreeMap<Leaf, Figures>| {
            found.values_mut().for_each(|figures| figures.last = 0);
            found
        };
        for (second, settled) in [(30, 0), (70, 65), (130, 130), (80, 130), (61, 130), (60, 130), (119, 119), (1, 119)]
        {
            let (end, settled) = (START + second * SECOND, START + settled * SECOND);
            let all = Selection::default();
            let kept = totals.at(&store, &all, (START, end), settled).unwrap();
            let anew = Totals::default().at(&store, &all, (START, end), settled).unwrap();
            assert_eq!(without_last(kept), without_last(anew), "at {second} s");
            let sum: u64 = totals.at(&store, &all, (START, end), settled).unwrap().values().map(|one| one.total).sum();
            assert_eq!(sum, store.count(&all.within(None, Some(end))).unwrap(), "at {second} s");
        }
    }

    #[test]
    fn another_selection_is_counted_anew() {
        let mut totals = Totals::default();
        let mut count = |selection: &Selection| {
            let found = totals.at(&store(), selection, (START, START + 120 * SECOND), i64::MAX).unwrap();
            found.values().map(|figures| figures.total).sum::<u64>()
        };
        assert_eq!(count(&Selection::default()), 73);
        assert_eq!(count(&Selection { severity: Severity::Harmful, ..Selection::default() }), 60);
        let since = Selection { since: Some(START + 50 * SECOND), ..Selection::default() };
        assert_eq!(count(&since), 10 + 7);
    }
}
