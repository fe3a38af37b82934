//! A comparison in writing: a table for people, one JSON object for programs.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::Value;

use super::{Change, Changed, Comparison, Period};
use crate::{
    clock,
    message::thousands,
    query,
    severity::Severity,
    table::{Cell, Format, Printer},
};

impl Comparison {
    /// Writes it as a table, cut to a width, if there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn table(&self, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
        writeln!(out, "before  {}", sentence(&self.before))?;
        writeln!(out, "after   {}\n", sentence(&self.after))?;
        if self.groups.is_empty() {
            writeln!(out, "No group is new, gone, more or less.")?;
        } else {
            let fields = self.by.iter().map(|field| field.name());
            let names = ["change"].into_iter().chain(fields);
            let names =
                names.chain(["severity", "before", "after", "before/min", "after/min", "times", "unread", "first"]);
            let mut printer = Printer::new(&mut *out, Format::Table, width, names)?;
            for group in &self.groups {
                printer.row(&self.row(group))?;
            }
            printer.finish()?;
        }
        match self.untold {
            0 => Ok(()),
            1 => writeln!(out, "\n1 group changed too little to be told."),
            untold => writeln!(out, "\n{} groups changed too little to be told.", thousands(untold)),
        }
    }

    fn row(&self, group: &Changed) -> Vec<Cell> {
        let mut cells = vec![Cell::Text(group.change.name().to_owned())];
        cells.extend(self.by.iter().zip(&group.values).map(|(field, value)| query::cell(*field, value)));
        let unread = i128::from(group.unread_after) - i128::from(group.unread_before);
        cells.extend([
            Cell::text(group.severity.map(Severity::name)),
            Cell::Count(group.before),
            Cell::Count(group.after),
            Cell::rate(group.rate_before),
            Cell::rate(group.rate_after),
            Cell::rate(group.ratio()),
            Cell::Change(i64::try_from(unread).unwrap_or(i64::MAX)),
            Cell::Around(group.first),
        ]);
        cells
    }

    /// Writes it as one JSON object, on a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let object = Whole {
            before: period(&self.before),
            after: period(&self.after),
            groups: self.groups.iter().map(|group| self.object(group)).collect(),
            untold: self.untold,
        };
        serde_json::to_writer(&mut *out, &object)?;
        writeln!(out)
    }

    fn object(&self, group: &Changed) -> GroupObject {
        let values = self.by.iter().zip(&group.values);
        GroupObject {
            change: group.change,
            group: values.map(|(field, value)| (field.name(), query::cell(*field, value).json())).collect(),
            severity: group.severity,
            before: group.before,
            after: group.after,
            before_per_minute: group.rate_before,
            after_per_minute: group.rate_after,
            times: group.ratio(),
            unread_before: group.unread_before,
            unread_after: group.unread_after,
            first: Cell::Around(group.first).json(),
            last: Cell::Around(group.last).json(),
        }
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Whole {
    before: PeriodObject,
    after: PeriodObject,
    groups: Vec<GroupObject>,
    untold: u64,
}

#[derive(Serialize)]
struct PeriodObject {
    since: Option<String>,
    until: Option<String>,
    minutes: Option<f64>,
    events: u64,
}

#[derive(Serialize)]
struct GroupObject {
    change: Change,
    group: BTreeMap<&'static str, Value>,
    severity: Option<Severity>,
    before: u64,
    after: u64,
    before_per_minute: Option<f64>,
    after_per_minute: Option<f64>,
    times: Option<f64>,
    unread_before: u64,
    unread_after: u64,
    first: Value,
    last: Value,
}

fn period(period: &Period) -> PeriodObject {
    PeriodObject {
        since: period.since.map(clock::wall_text),
        until: period.until.map(clock::wall_text),
        minutes: period.minutes(),
        events: period.events,
    }
}

/// `2026-11-20T10:00:00Z to 2026-11-20T12:00:00Z, 120.0 minutes: 3 events`
fn sentence(period: &Period) -> String {
    let seconds = |time| format!("{}Z", clock::wall_text(time).get(..19).unwrap_or_default());
    let events = match period.events {
        1 => "1 event".to_owned(),
        events => format!("{} events", thousands(events)),
    };
    match (period.since, period.until, period.minutes()) {
        (Some(since), Some(until), Some(minutes)) => {
            format!("{} to {}, {minutes:.1} minutes: {events}", seconds(since), seconds(until))
        }
        (Some(since), ..) => format!("{}: {events}", seconds(since)),
        _ => events,
    }
}
