//! `diff`: two times, or two files, compared. What is new, gone, more or less, by groups; what chance makes is not told.

mod told;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, collections::HashMap};

use anyhow::Result;
use serde::Serialize;

use crate::{
    severity::Severity,
    store::{Field, Group, Instant, Selection, Store},
};

/// Nanoseconds of a minute.
const MINUTE: f64 = 60e9;

/// Standard deviations by which counts differ at least where they are told to differ: chance does so once in twenty times.
const BEYOND_CHANCE: f64 = 2.0;

/// What is compared how.
#[derive(Clone, Debug)]
pub struct Question {
    /// What events are grouped by.
    pub by: Vec<Field>,
    /// A rate that is not so many times as high, or as low, is not told.
    pub ratio: f64,
    /// Groups with fewer events at both times are not told.
    pub least: u64,
}

/// How a group changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// It has a higher rate.
    More,
    /// It has a lower one.
    Less,
}

impl Change {
    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::More => "more",
            Self::Less => "less",
        }
    }
}

/// One of the times that are compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Period {
    /// Its beginning: the one that was asked for, or its first event.
    pub since: Option<Instant>,
    /// Its end: the one that was asked for, or its last event.
    pub until: Option<Instant>,
    /// Events in it.
    pub events: u64,
}

impl Period {
    /// How long it is; None when it has no length.
    fn minutes(&self) -> Option<f64> {
        let (since, until) = self.since.zip(self.until)?;
        Some((until - since) as f64 / MINUTE).filter(|minutes| *minutes > 0.0)
    }

    fn rate(&self, events: u64) -> Option<f64> {
        self.minutes().map(|minutes| events as f64 / minutes)
    }
}

/// A group that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// How.
    pub change: Change,
    /// Its values, in the order of the fields.
    pub values: Vec<Option<String>>,
    /// The worst of its events.
    pub severity: Option<Severity>,
    /// Events before.
    pub before: u64,
    /// Events after.
    pub after: u64,
    /// The same by the minute; None where the time has no length.
    pub rate_before: Option<f64>,
    /// The same by the minute, after.
    pub rate_after: Option<f64>,
    /// Unread bytes before.
    pub unread_before: u64,
    /// Unread bytes after.
    pub unread_after: u64,
    /// When it was seen first, at either time.
    pub first: Instant,
    /// When it was seen last.
    pub last: Instant,
}

impl Changed {
    /// How many times as high the rate is; None for what is new or gone.
    fn ratio(&self) -> Option<f64> {
        let (before, after) = self.rate_before.zip(self.rate_after)?;
        Some(after / before).filter(|_| before > 0.0 && after > 0.0)
    }

    /// By how much the rate has changed, or the count where there is no rate.
    fn weight(&self) -> f64 {
        match self.rate_before.zip(self.rate_after) {
            Some((before, after)) => (after - before).abs(),
            None => self.after.abs_diff(self.before) as f64,
        }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    by: Vec<Field>,
    /// Before.
    pub before: Period,
    /// After.
    pub after: Period,
    /// What changed, the heaviest change first.
    pub groups: Vec<Changed>,
    /// Groups that changed too little to be told.
    pub untold: u64,
}

/// Compares.
///
/// # Errors
/// When a store cannot be read.
pub fn compare(before: (&Store, &Selection), after: (&Store, &Selection), question: &Question) -> Result<Comparison> {
    let mut sides = HashMap::new();
    let periods = [
        collect(before, question, &mut sides, |both| &mut both.before)?,
        collect(after, question, &mut sides, |both| &mut both.after)?,
    ];
    let [before, after] = periods;
    let mut untold = 0;
    let mut groups = Vec::new();
    for (values, both) in sides {
        match judge(values, &both, (&before, &after), question) {
            Verdict::Told(changed) => groups.push(changed),
            Verdict::Untold => untold += 1,
            Verdict::Same => {}
        }
    }
    groups.sort_by(heavier);
    Ok(Comparison { by: question.by.clone(), before, after, groups, untold })
}

fn heavier(a: &Changed, b: &Changed) -> Ordering {
    b.weight().total_cmp(&a.weight()).then_with(|| b.severity.cmp(&a.severity)).then_with(|| a.values.cmp(&b.values))
}

/// A group at both times.
#[derive(Default)]
struct Both {
    before: Side,
    after: Side,
}

/// A group at one time.
#[derive(Default)]
struct Side {
    events: u64,
    unread: u64,
    severity: Option<Severity>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Side {
    fn add(&mut self, group: &Group, severity: Option<Severity>) {
        self.events += group.events;
        self.unread += group.unread_bytes;
        self.severity = self.severity.max(severity);
        self.first = Some(self.first.map_or(group.first, |first| first.min(group.first)));
        self.last = self.last.max(Some(group.last));
    }
}

/// Adds one time's groups; what time that was.
fn collect(
    (store, selection): (&Store, &Selection),
    question: &Question,
    sides: &mut HashMap<Vec<Option<String>>, Both>,
    side: impl Fn(&mut Both) -> &mut Side,
) -> Result<Period> {
    let by: Vec<Field> = question.by.iter().copied().chain([Field::Severity]).collect();
    let mut total = Side::default();
    store.sum(selection)?;
    for mut group in store.groups(selection, &by)? {
        let severity = group.values.pop().flatten().and_then(|severity| severity.parse().ok());
        total.add(&group, severity);
        side(sides.entry(group.values.clone()).or_default()).add(&group, severity);
    }
    // Events of all types tell how long it was looked.
    let (first, last) = store.span()?.unzip();
    Ok(Period {
        since: selection.since.or_else(|| first.into_iter().chain(total.first).min()),
        until: selection.until.or_else(|| last.into_iter().chain(total.last).max()),
        events: total.events,
    })
}

enum Verdict {
    Told(Changed),
    Untold,
    Same,
}

fn judge(
    values: Vec<Option<String>>,
    Both { before, after }: &Both,
    (earlier, later): (&Period, &Period),
    question: &Question,
) -> Verdict {
    let (rate_before, rate_after) = (earlier.rate(before.events), later.rate(after.events));
    // Without rates, the counts.
    let (was, is) = rate_before.zip(rate_after).unwrap_or((before.events as f64, after.events as f64));
    let change = match (before.events, after.events) {
        (0, _) => Change::New,
        (_, 0) => Change::Gone,
        _ if is > was => Change::More,
        _ if is < was => Change::Less,
        _ => return Verdict::Same,
    };
    let is_little = before.events.max(after.events) < question.least;
    let is_noise = matches!(change, Change::More | Change::Less)
        && ((is / was).max(was / is) < question.ratio
            || deviation(before.events, after.events, earlier.minutes(), later.minutes()) < BEYOND_CHANCE);
    if is_little || is_noise {
        return Verdict::Untold;
    }
    let first = [before.first, after.first].into_iter().flatten().min().unwrap_or_default();
    let last = before.last.max(after.last).unwrap_or_default();
    Verdict::Told(Changed {
        change,
        values,
        severity: before.severity.max(after.severity),
        before: before.events,
        after: after.events,
        rate_before,
        rate_after,
        unread_before: before.unread,
        unread_after: after.unread,
        first,
        last,
    })
}

/// By how many standard deviations two counts differ from what equal rates would make of their sum (binomial).
fn deviation(before: u64, after: u64, earlier: Option<f64>, later: Option<f64>) -> f64 {
    let (earlier, later) = earlier.zip(later).unwrap_or((1.0, 1.0));
    let (sum, share) = ((before + after) as f64, later / (earlier + later));
    (after as f64 - sum * share).abs() / (sum * share * (1.0 - share)).sqrt()
}

impl Comparison {
    /// Whether a group is new that is at least so bad.
    #[must_use]
    pub fn has_new(&self, severity: Severity) -> bool {
        self.groups.iter().any(|group| group.change == Change::New && group.severity >= Some(severity))
    }
}
