//! What is told of the selected row: its latest finding, with stack and hint.

use anyhow::Result;

use super::{
    figures::{LEVELS, MINUTE},
    tree::Row,
};
use crate::{
    event::{Event, Finding},
    render::{self, moment, printable},
    store::{Field, Instant, Selection, Store},
};

/// Findings that are looked through for one without a process or peer: no condition finds what is not known.
const PATIENCE: usize = 10_000;

/// A part of what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// When, and how bad.
    Head(String),
    /// What happened.
    Sentence(String),
    /// What to do about it.
    Advice(String),
    /// A function on the stack, the innermost first.
    Frame(String),
}

/// The latest finding of a row before `end`.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn of(store: &Store, selection: &Selection, row: &Row, end: Instant) -> Result<Vec<Line>> {
    // As a rule the last one is known to the minute, so that no more of the store is looked through.
    let last = row.figures.last;
    let lines = latest(store, &selection.within(Some(last), Some(end.min(last.saturating_add(MINUTE)))), row)?;
    if lines.is_empty() { latest(store, &selection.within(selection.since, Some(end)), row) } else { Ok(lines) }
}

fn latest(store: &Store, selection: &Selection, row: &Row) -> Result<Vec<Line>> {
    let mut selection = selection.clone();
    for (field, value) in LEVELS.into_iter().zip(&row.path) {
        if let Some(value) = value {
            selection.fields.push((field, vec![value.clone()]));
        }
    }
    let mut found = Vec::new();
    let mut looked = 0;
    store.latest(&selection, |event| {
        looked += 1;
        match event.body.finding() {
            Some(finding) if is_of(finding, row) => {
                found = lines(&event, finding);
                Ok(false)
            }
            _ => Ok(looked < PATIENCE),
        }
    })?;
    Ok(found)
}

/// Whether a finding lacks what the row says is not known.
fn is_of(finding: &Finding, row: &Row) -> bool {
    LEVELS.into_iter().zip(&row.path).filter(|(_, value)| value.is_none()).all(|(field, _)| match field {
        Field::Process => finding.process.is_none(),
        Field::Peer => finding.network.is_none(),
        _ => false,
    })
}

fn lines(event: &Event, finding: &Finding) -> Vec<Line> {
    let mut lines = vec![
        Line::Head(format!("{}Z  {}, {}", printable(&moment(event)), finding.severity, finding.cause)),
        Line::Sentence(printable(&event.message().to_string())),
    ];
    if let Some(hint) = &finding.hint {
        lines.push(Line::Advice(printable(&format!("{} ({})", hint.advice, hint.reference))));
    }
    let stack = finding.stack.iter().flat_map(|stack| stack.kernel.iter().chain(stack.user.iter()));
    lines.extend(stack.map(|frame| Line::Frame(render::frame(frame))));
    lines
}
