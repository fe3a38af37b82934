//! When: findings over time by cause, as bars. All measures are parts of the width, so that the text keeps its size on
//! any screen.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;

use super::{
    html::Safe,
    incident::{COLOURS, Incident},
    words::{self, SECOND},
};
use crate::{
    message::{counted, thousands},
    store::{Field, Instant, Selection, Store},
};

/// Bars at most.
const BARS: i64 = 72;

/// Pixels of the highest bar.
const HEIGHT: u64 = 180;

/// Pixels above it.
const HEAD: u64 = 12;

/// Lengths that a bar may stand for, in seconds.
const STEPS: [i64; 14] =
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/// Findings over time.
pub(super) struct Chart {
    /// Begin of the first bar.
    begin: Instant,
    /// Nanoseconds of a bar.
    step: i64,
    /// Bars.
    bars: i64,
    /// Findings by bar and colour.
    counts: BTreeMap<(i64, usize), u64>,
}

impl Chart {
    pub(super) fn of(store: &Store, selection: &Selection, incident: &Incident) -> Result<Self> {
        let span = incident.until.saturating_sub(incident.since).max(SECOND);
        let fits = |step: &&i64| span / (**step * SECOND) < BARS;
        let mut step = STEPS.iter().find(fits).copied().unwrap_or(STEPS[STEPS.len() - 1]) * SECOND;
        while span / step >= BARS {
            step = step.saturating_mul(2);
        }
        let begin = incident.since.div_euclid(step) * step;
        let by = match step / SECOND {
            ..3_600 => Field::Minute,
            3_600..86_400 => Field::Hour,
            _ => Field::Day,
        };
        let mut counts = BTreeMap::new();
        for group in store.groups(selection, &[by, Field::Cause])? {
            let colour = incident.colour(group.values.get(1).and_then(Option::as_deref).unwrap_or_default());
            *counts.entry(((group.first - begin).div_euclid(step).max(0), colour)).or_insert(0) += group.events;
        }
        let bars = (incident.until.saturating_sub(begin).saturating_sub(1)).div_euclid(step) + 1;
        let last = counts.keys().next_back().map_or(0, |(bar, _)| bar + 1);
        Ok(Self { begin, step, bars: bars.max(last).max(1), counts })
    }

    fn sum(&self, bar: i64) -> u64 {
        self.counts.range((bar, 0)..=(bar, COLOURS)).map(|(_, count)| count).sum()
    }

    fn time(&self, bar: i64) -> Instant {
        self.begin.saturating_add(bar.saturating_mul(self.step))
    }

    /// Chart, legend and the same as a table.
    pub(super) fn section(&self, incident: &Incident) -> String {
        if incident.total == 0 {
            return String::new();
        }
        let top = nice((0..self.bars).map(|bar| self.sum(bar)).max().unwrap_or(1));
        let mut text = String::from("<section id=\"timeline\"><h2>When</h2><figure><div class=\"chart\">");
        self.axis(&mut text, top);
        self.plot(&mut text, top, incident);
        self.times(&mut text);
        text.push_str("</div><figcaption>");
        // Writing to a string cannot fail.
        let _ = write!(text, "Findings in {} by cause, UTC", length(self.step));
        text.push_str("<ul class=\"legend\">");
        for (cause, events) in &incident.causes {
            let (colour, events) = (incident.colour(cause), thousands(*events));
            let _ = write!(text, "<li><i class=\"key c{colour}\"></i>{} <b>{events}</b></li>", Safe(cause));
        }
        text.push_str("</ul></figcaption></figure>");
        self.table(&mut text);
        text + "</section>"
    }

    fn axis(&self, text: &mut String, top: u64) {
        let _ = write!(text, "<svg class=\"axis\" width=\"52\" height=\"{}\" aria-hidden=\"true\">", HEIGHT + HEAD + 1);
        for half in 0..=2 {
            let (y, count) = (HEAD + HEIGHT - HEIGHT * half / 2 + 4, thousands(top / 2 * half));
            let _ = write!(text, "<text x=\"46\" y=\"{y}\">{count}</text>");
        }
        text.push_str("</svg>");
    }

    fn plot(&self, text: &mut String, top: u64, incident: &Incident) {
        let _ = write!(
            text,
            "<svg class=\"plot\" width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"Bars: findings over time by cause; \
             the table below has the same figures\">",
            HEIGHT + HEAD + 1
        );
        for quarter in 0..=4 {
            let y = HEAD + HEIGHT - HEIGHT * quarter / 4;
            let _ = write!(text, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>");
        }
        let names: Vec<&str> = incident.causes.iter().map(|(cause, _)| cause.as_str()).collect();
        let mut bottom = (-1, 0);
        for ((bar, colour), count) in &self.counts {
            if bottom.0 != *bar {
                bottom = (*bar, 0);
            }
            let name = if *colour < COLOURS { names.get(*colour).copied().unwrap_or_default() } else { "other causes" };
            let (low, high) = (height(bottom.1, top), height(bottom.1 + count, top));
            bottom.1 += count;
            let thick = (high - low).max(1);
            let _ = write!(
                text,
                "<rect class=\"c{colour}\" x=\"{}%\" width=\"{}%\" y=\"{}\" height=\"{thick}\"><title>{} {}: {}</title></rect>",
                thousandths((bar * 100_000 + 8_000) / self.bars),
                thousandths(84_000 / self.bars),
                HEAD + HEIGHT - low - thick,
                words::minute(self.time(*bar)),
                Safe(name),
                thousands(*count)
            );
        }
        text.push_str("</svg>");
    }

    fn times(&self, text: &mut String) {
        let days = self.step * self.bars > 86_400 * SECOND;
        let (from, to, labels) = match self.step {
            step if step >= 86_400 * SECOND => (0, 10, 4),
            _ if days => (5, 16, 3),
            _ => (11, 16, 5),
        };
        text.push_str("<svg class=\"times\" width=\"100%\" height=\"22\" aria-hidden=\"true\">");
        let every = (self.bars / labels).max(1);
        for bar in (0..self.bars).step_by(usize::try_from(every).unwrap_or(1)) {
            let place = bar * 100_000 / self.bars;
            // The last one would be cut off.
            if place <= 86_000 || bar == 0 {
                let label = words::part(self.time(bar), from, to);
                let _ = write!(text, "<text x=\"{}%\" y=\"16\">{label}</text>", thousandths(place));
            }
        }
        text.push_str("</svg>");
    }

    fn table(&self, text: &mut String) {
        text.push_str(
            "<details><summary>As a table</summary><table><caption>Findings over time</caption><thead><tr>\
             <th scope=\"col\">from (UTC)</th><th scope=\"col\" class=\"n\">findings</th></tr></thead><tbody>",
        );
        for bar in 0..self.bars {
            let (time, sum) = (words::minute(self.time(bar)), thousands(self.sum(bar)));
            let _ = write!(text, "<tr><th scope=\"row\">{time}</th><td class=\"n\">{sum}</td></tr>");
        }
        text.push_str("</tbody></table></details>");
    }
}

/// Pixels of a count.
fn height(count: u64, top: u64) -> u64 {
    u64::try_from(u128::from(count) * u128::from(HEIGHT) / u128::from(top.max(1))).unwrap_or(HEIGHT)
}

/// `12.5` of 12,500.
fn thousandths(value: i64) -> String {
    format!("{}.{:03}", value / 1_000, value % 1_000)
}

/// The next round figure that has halves.
fn nice(highest: u64) -> u64 {
    if let Some(top) = [2, 4, 6, 8].into_iter().find(|top| *top >= highest) {
        return top;
    }
    let mut unit: u64 = 1;
    loop {
        for digits in [10, 12, 16, 20, 24, 30, 40, 50, 60, 80] {
            match unit.checked_mul(digits) {
                Some(top) if top >= highest => return top,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// `bars of 5 minutes`
fn length(step: i64) -> String {
    let minutes = u64::try_from(step / (60 * SECOND)).unwrap_or(0);
    let (number, unit) = match minutes {
        1_440.. => (minutes / 1_440, "day"),
        60.. => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    format!("bars of {}", counted(number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_figure() {
        let tops = [0, 1, 3, 5, 9, 11, 4_102, 999_999].map(nice);
        assert_eq!(tops, [2, 2, 4, 6, 10, 12, 5_000, 1_000_000]);
        assert_eq!(nice(u64::MAX), u64::MAX);
        assert_eq!((height(5, 10), height(10, 10), height(1, 0)), (90, 180, 180));
    }

    #[test]
    fn lengths_are_told_in_the_largest_unit() {
        let told = [60, 300, 7_200, 172_800].map(|seconds| length(seconds * SECOND));
        assert_eq!(told, ["bars of 1 minute", "bars of 5 minutes", "bars of 2 hours", "bars of 2 days"]);
    }
}
