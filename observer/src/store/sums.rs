//! The counts by the minute, summed up over a time in one walk: many questions about it are then asked of the sums, which
//! are as few as there are kinds of findings, however long the time was. They are temporary tables of a connection.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    condition::Condition,
    count,
    field::Field,
    select::{Instant, Selection},
};

/// What a sum is of: kind, program, peer, port, stack; 0 stands for unknown.
type Key = [i64; 5];

/// Counts that were summed up.
struct Sum {
    first: Instant,
    last: Instant,
    events: u64,
    unread: u64,
}

impl Sum {
    fn add(&mut self, time: Instant, events: u64, unread: u64) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.events += events;
        self.unread += unread;
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self { first: Instant::MAX, last: Instant::MIN, events: 0, unread: 0 }
    }
}

/// Sums up what is within the time of a selection; whatever else it selects is still to be asked for.
pub(super) fn make(connection: &Connection, selection: &Selection) -> Result<()> {
    forget(connection)?;
    connection.execute_batch(
        "CREATE TEMP TABLE sums (kind, program, peer, port, stack, time, last, events, unread);
         CREATE TEMP TABLE times (kind, program, peer, port, stack, time, last, events, unread);
         CREATE TEMP TABLE summed (since, until)",
    )?;
    // One snapshot of the file, and one write of what is temporary.
    let transaction = connection.unchecked_transaction()?;
    let mut condition = Condition::new();
    let rows = count::tallied_rows(selection, &mut condition);
    let mut sums: HashMap<Key, Sum> = HashMap::new();
    let mut times: HashMap<i64, Sum> = HashMap::new();
    let mut minute = None;
    let mut statement = connection.prepare(&rows)?;
    let mut found = statement.query(condition.values().as_slice())?;
    while let Some(row) = found.next()? {
        let number = |index| row.get::<_, Option<i64>>(index).map(Option::unwrap_or_default);
        let key = [number(0)?, number(1)?, number(2)?, number(3)?, number(4)?];
        let (time, events, unread) = (row.get(5)?, row.get(6)?, row.get(7)?);
        // Minutes come in order, so that those of one are all that is remembered.
        if minute.replace(time) != Some(time) {
            write(connection, "times", times.drain().map(|(kind, sum)| ([kind, 0, 0, 0, 0], sum)))?;
        }
        sums.entry(key).or_default().add(time, events, unread);
        times.entry(key[0]).or_default().add(time, events, unread);
    }
    write(connection, "times", times.into_iter().map(|(kind, sum)| ([kind, 0, 0, 0, 0], sum)))?;
    write(connection, "sums", sums.into_iter())?;
    connection.execute("INSERT INTO summed VALUES (?, ?)", params![selection.since, selection.until])?;
    drop(found);
    drop(statement);
    transaction.commit()?;
    Ok(())
}

fn write(connection: &Connection, table: &str, sums: impl Iterator<Item = (Key, Sum)>) -> Result<()> {
    let mut insert = connection.prepare_cached(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"))?;
    for ([kind, program, peer, port, stack], sum) in sums {
        let Sum { first, last, events, unread } = sum;
        insert.execute(params![kind, program, peer, port, stack, first, last, events, unread])?;
    }
    Ok(())
}

/// Forgets the sums: questions are asked of the counts again.
pub(super) fn forget(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "DROP TABLE IF EXISTS temp.sums; DROP TABLE IF EXISTS temp.times; DROP TABLE IF EXISTS temp.summed",
    )?;
    Ok(())
}

/// The table that has the sums of a selection by these fields, where there is one.
pub(super) fn table(connection: &Connection, selection: &Selection, by: &[Field]) -> Result<Option<&'static str>> {
    let there = "SELECT 1 FROM temp.sqlite_schema WHERE name = 'summed'";
    if connection.query_row(there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let same = "SELECT 1 FROM temp.summed WHERE since IS ? AND until IS ?";
    if connection.query_row(same, params![selection.since, selection.until], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let selected = selection.fields.iter().map(|(field, _)| *field);
    let mut fields = by.iter().copied().chain(selected);
    Ok(if !fields.clone().any(Field::is_of_time) {
        Some("temp.sums")
    } else if selection.uids.is_empty() && selection.peers.is_empty() && fields.all(Field::is_of_kind_or_time) {
        Some("temp.times")
    } else {
        None
    })
}
