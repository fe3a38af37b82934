//! Counts of findings: by the minute as they were recorded where these serve, by single events where they cannot.

use std::fmt::Write as _;

use anyhow::Result;
use rusqlite::Connection;

use super::{
    condition::{Condition, EVENTS},
    field::{Field, PORT},
    select::{Instant, Selection},
    sums,
};

/// What the numbers of counts mean.
const MEANINGS: &str = "AS t JOIN kind ON kind.id = t.kind LEFT JOIN program ON program.id = t.program \
    LEFT JOIN address AS peer ON peer.id = t.peer LEFT JOIN stack ON stack.id = t.stack";

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;

/// Findings of one group, or events where others are selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its values, in the order of the fields; None where it is not known.
    pub values: Vec<Option<String>>,
    /// How many.
    pub events: u64,
    /// Bytes that were left unread.
    pub unread_bytes: u64,
    /// Time of the first one, or the minute in which it was.
    pub first: Instant,
    /// Time of the last one, or the minute in which it was.
    pub last: Instant,
}

/// Where findings that are selected are counted: the counts by the minute serve where they can, single events at the
/// edges and where they cannot.
struct Source {
    tables: String,
    condition: Condition,
    /// From single events only.
    direct: bool,
}

impl Source {
    fn of(connection: &Connection, selection: &Selection, by: &[Field]) -> Result<Self> {
        if !selection.is_tallied() || !by.iter().all(|field| field.is_tallied()) {
            return Ok(Self { tables: EVENTS.to_owned(), condition: selection.events(), direct: true });
        }
        let mut edges = Condition::new();
        let tables = match sums::table(connection, selection, by)? {
            Some(table) => format!("{table} {MEANINGS}"),
            None => format!("({}) {MEANINGS}", tallied_rows(selection, &mut edges)),
        };
        let mut condition = Condition::new();
        selection.add(&mut condition, false);
        // Values of the tables come before those of the condition.
        edges.values.append(&mut condition.values);
        condition.values = edges.values;
        Ok(Self { tables, condition, direct: false })
    }

    fn sum(&self) -> &'static str {
        if self.direct { "count(*)" } else { "sum(t.events)" }
    }
}

/// Counts findings by group, the largest first, so many groups at most.
pub(super) fn groups(
    connection: &Connection,
    selection: &Selection,
    by: &[Field],
    limit: Option<u32>,
) -> Result<Vec<Group>> {
    let source = Source::of(connection, selection, by)?;
    let (tables, text, events) = (&source.tables, source.condition.text(), source.sum());
    let sums = if source.direct {
        "sum(coalesce(event.unread_bytes, 0)), min(event.time), max(event.time)"
    } else {
        "sum(t.unread), min(t.time), max(t.last)"
    };
    let fields: String =
        by.iter().map(|field| format!("CAST({} AS TEXT), ", field.expression(source.direct))).collect();
    let numbers: Vec<String> = (1..=by.len()).map(|number| number.to_string()).collect();
    let grouped = if by.is_empty() { String::new() } else { format!("GROUP BY {}", numbers.join(", ")) };
    let counted = by.len() + 1;
    let most = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let query =
        format!("SELECT {fields}{events}, {sums} FROM {tables} WHERE {text} {grouped} ORDER BY {counted} DESC{most}");
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query(source.condition.values().as_slice())?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(events) = row.get::<_, Option<u64>>(by.len())?.filter(|events| *events > 0) else { continue };
        groups.push(Group {
            values: (0..by.len()).map(|index| row.get(index)).collect::<rusqlite::Result<_>>()?,
            events,
            unread_bytes: row.get(by.len() + 1)?,
            first: row.get(by.len() + 2)?,
            last: row.get(by.len() + 3)?,
        });
    }
    Ok(groups)
}

/// Counts what only single events tell, once: the table takes the place of the counts of the file within this connection.
/// What is left of the selection selects from it.
pub(super) fn focus(connection: &Connection, selection: &Selection) -> Result<Selection> {
    connection.execute_batch("DROP TABLE IF EXISTS temp.tally")?;
    if selection.is_tallied() {
        sums::make(connection, selection)?;
        return Ok(selection.clone());
    }
    let condition = selection.events();
    // Temporary tables come before others of the same name.
    let query = format!(
        "CREATE TEMP TABLE tally AS SELECT event.time / {MINUTE} * 60 AS minute, event.kind AS kind, \
         process.program AS program, event.peer AS peer, {PORT} AS port, event.stack AS stack, count(*) AS events, \
         sum(coalesce(event.unread_bytes, 0)) AS unread_bytes FROM {EVENTS} WHERE {} GROUP BY 1, 2, 3, 4, 5, 6",
        condition.text()
    );
    connection.execute(&query, condition.values().as_slice())?;
    sums::make(connection, &Selection::default())?;
    Ok(Selection::default())
}

/// Names of processes, numbers of their stacks and findings there, the most first, so many at most.
pub(super) fn stacks(
    connection: &Connection,
    selection: &Selection,
    limit: u32,
) -> Result<Vec<(Option<String>, i64, u64)>> {
    let source = Source::of(connection, selection, &[])?;
    let (tables, text, events) = (&source.tables, source.condition.text(), source.sum());
    let query = format!(
        "SELECT program.comm, stack.id, {events} FROM {tables} WHERE {text} AND stack.id IS NOT NULL \
         GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {limit}"
    );
    let mut statement = connection.prepare(&query)?;
    let rows =
        statement.query_map(source.condition.values().as_slice(), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whole minutes from the counts in order, the parts of minutes before and behind them from single events: numbers of kind,
/// program, peer, port and stack, time, how many, bytes left unread, and the time again as that of the last one.
pub(super) fn tallied_rows(selection: &Selection, condition: &mut Condition) -> String {
    let begin = selection.since.map(|since| since.saturating_add(MINUTE - 1).div_euclid(MINUTE));
    let end = selection.until.map(|until| until.div_euclid(MINUTE));
    let mut whole = Condition::new();
    if let Some(begin) = begin {
        whole.value("minute >= ?", begin * 60);
    }
    if let Some(end) = end {
        whole.value("minute < ?", end * 60);
    }
    let mut edges = Vec::new();
    match (selection.since, selection.until, begin, end) {
        // Within one minute.
        (Some(since), Some(until), Some(begin), Some(end)) if begin > end => edges.push((since, until)),
        _ => {
            if let (Some(since), Some(begin)) = (selection.since, begin) {
                edges.push((since, begin * MINUTE));
            }
            if let (Some(until), Some(end)) = (selection.until, end) {
                edges.push((end * MINUTE, until));
            }
        }
    }
    let mut source = format!(
        "SELECT kind, program, peer, port, stack, minute * 1000000000 AS time, events, unread_bytes AS unread, \
         minute * 1000000000 AS last FROM tally WHERE {}",
        whole.text
    );
    condition.values.append(&mut whole.values);
    for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
        let _ = write!(
            source,
            " UNION ALL SELECT event.kind, process.program, event.peer, {PORT}, event.stack, event.time, 1, \
             coalesce(event.unread_bytes, 0), event.time FROM event JOIN kind ON kind.id = event.kind \
             LEFT JOIN process ON process.id = event.process \
             WHERE kind.cause IS NOT NULL AND event.time >= ? AND event.time < ?"
        );
        condition.values.push(Box::new(from));
        condition.values.push(Box::new(to));
    }
    source
}
