//! The arguments of `diff`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::{
    Look, Task,
    selection::{SelectionArguments, field, instant},
    view::{shown, width},
};
use crate::{
    clock,
    diff::{self, Question},
    severity::Severity,
    source,
    store::{Field, Selection},
};

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// Two stores or files of JSON lines (zstd, gzip): before and after. With --before and --after, one
    #[arg(value_name = "FILE", num_args = 0..=2)]
    file: Vec<PathBuf>,
    /// The store in which two times are compared
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    store: Option<PathBuf>,
    /// The time before, as "2026-11-20 10:00..2026-11-20 12:00", -2h..-1h or ..12:00 (from the first event on); UTC
    #[arg(long, value_name = "TIME..TIME", allow_hyphen_values = true, value_parser = interval, requires = "after")]
    before: Option<Interval>,
    /// The time after; without its end, as -1h.., until now
    #[arg(long, value_name = "TIME..TIME", allow_hyphen_values = true, value_parser = interval, requires = "before")]
    after: Option<Interval>,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Compare by these fields, those of `query --group-by`
    #[arg(long, value_name = "FIELD", value_delimiter = ',', default_value = "process,peer,cause", value_parser = field, help_heading = "Answer")]
    group_by: Vec<Field>,
    /// Tell a rate that is so many times as high or as low as before, and that chance does not explain
    #[arg(long, value_name = "TIMES", default_value_t = 2.0, value_parser = times, help_heading = "Answer")]
    threshold: f64,
    /// Tell groups with so many events at one of both times at least
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Answer")]
    min_events: u64,
    /// Exit with 1 when a group is new whose findings are suspect or harmful
    #[arg(long, help_heading = "Answer")]
    fail_on_new: bool,
    /// How it is written: table, or json for one object
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Answer"
    )]
    format: FormatName,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum FormatName {
    /// A table
    #[default]
    Table,
    /// One JSON object
    Json,
}

/// From one time to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    since: Option<i64>,
    until: Option<i64>,
}

impl DiffArguments {
    /// The comparison.
    ///
    /// # Errors
    /// When options contradict each other.
    pub(super) fn task(self) -> Result<Task> {
        let selection = self.selection.selection()?;
        let paths: Vec<PathBuf> = self.store.into_iter().chain(self.file).collect();
        let [before, after] = match (self.before.zip(self.after), paths.len()) {
            (Some(_), _) if selection.since.or(selection.until).is_some() => {
                bail!("--before and --after say which times are meant: leave --since and --until away")
            }
            (Some((before, after)), 1) => [before.of(&selection), after.of(&selection)],
            (Some(_), _) => bail!("--before and --after compare two times of one file or store: name one"),
            (None, 2) => [selection.clone(), selection],
            (None, _) => bail!("nothing to compare: name two files, or one with --before and --after"),
        };
        let question = Question { by: self.group_by, ratio: self.threshold, least: self.min_events };
        let (format, fail_on_new) = (self.format, self.fail_on_new);
        Ok(Task::Look(Look(Box::new(move || {
            let first = source::open(&paths[..1])?;
            let second = paths.get(1).map(|path| source::open(std::slice::from_ref(path))).transpose()?;
            let second = second.as_ref().unwrap_or(&first);
            let comparison = diff::compare((&first, &before), (second, &after), &question)?;
            shown(|out| {
                match format {
                    FormatName::Table => comparison.table(out, width())?,
                    FormatName::Json => comparison.json(out)?,
                }
                Ok(0)
            })?;
            Ok(u8::from(fail_on_new && comparison.has_new(Severity::Suspect)))
        }))))
    }
}

impl Interval {
    fn of(self, selection: &Selection) -> Selection {
        selection.within(self.since, self.until)
    }
}

fn interval(text: &str) -> Result<Interval, String> {
    let (since, until) = text.split_once("..").ok_or("expected TIME..TIME, as -2h..-1h")?;
    let time = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(instant).transpose();
    let (since, until) = (time(since)?, time(until)?);
    let until = until.or_else(|| Some(clock::present()));
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err("it ends before it begins".to_owned()),
        _ => Ok(Interval { since, until }),
    }
}

fn times(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(times) if f64::is_finite(times) && times >= 1.0 => Ok(times),
        _ => Err("expected a number from 1 on, as 2 for twice or half".to_owned()),
    }
}
