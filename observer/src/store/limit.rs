//! Keeps a file within its limits: the oldest events go first, in small steps, each a short transaction.

use rusqlite::{Connection, Result, params};

use super::rows::SEEN;

/// Events that one step removes at most.
const STEP: i64 = 2_000;

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in use; the file itself does not shrink, its room is used again.
    pub max_size: Option<u64>,
    /// Nanoseconds.
    pub max_age: Option<u64>,
}

/// What a step has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// Events and counts that were removed.
    pub(super) rows: usize,
    /// Processes, addresses or stacks are gone: numbers that are remembered may mean nothing any more.
    pub(super) meanings: bool,
}

/// Removes some of what is too much, if anything is.
pub(super) fn step(connection: &mut Connection, limits: Limits, now: i64) -> Result<Removed> {
    let horizon = limits.max_age.and_then(|age| i64::try_from(age).ok()).map(|age| now - age);
    let too_large = limits.max_size.is_some_and(|limit| used(connection).is_ok_and(|used| used > limit));
    let transaction = connection.transaction()?;
    let mut removed = Removed::default();
    if let Some(horizon) = horizon {
        removed.rows += transaction
            .prepare_cached(
                "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE time < ? ORDER BY time LIMIT ?)",
            )?
            .execute(params![horizon, STEP])?;
        removed.rows += transaction
            .prepare_cached("DELETE FROM tally WHERE minute < ?")?
            .execute([(horizon - SEEN).div_euclid(1_000_000_000)])?;
    }
    if too_large && removed.rows == 0 {
        removed.rows += transaction
            .prepare_cached("DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?)")?
            .execute([STEP])?;
        if removed.rows == 0 {
            removed.rows +=
                transaction.execute("DELETE FROM tally WHERE minute = (SELECT min(minute) FROM tally)", [])?;
        }
    }
    if removed.rows > 0 {
        removed.meanings = meanings(&transaction)?;
    }
    transaction.commit()?;
    Ok(removed)
}

/// Removes what no event and no count means any more.
fn meanings(connection: &Connection) -> Result<bool> {
    let oldest = |query: &str| connection.prepare_cached(query)?.query_row([], |row| row.get::<_, Option<i64>>(0));
    let event = oldest("SELECT min(time) FROM event")?.unwrap_or(i64::MAX);
    let minute = oldest("SELECT min(minute) FROM tally")?.unwrap_or(i64::MAX / 1_000_000_000) * 1_000_000_000;
    let mut gone = 0;
    // An actor goes with its process.
    gone += connection
        .prepare_cached(
            "DELETE FROM actor WHERE process IN (SELECT id FROM process WHERE seen < ? ORDER BY seen LIMIT ?)",
        )?
        .execute(params![event.saturating_sub(2 * SEEN), STEP])?;
    gone += connection
        .prepare_cached(
            "DELETE FROM process WHERE id IN (SELECT id FROM process WHERE seen < ? ORDER BY seen LIMIT ?)",
        )?
        .execute(params![event.saturating_sub(2 * SEEN), STEP])?;
    let earlier = event.min(minute).saturating_sub(2 * SEEN);
    for table in ["address", "stack"] {
        let delete =
            format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE seen < ? ORDER BY seen LIMIT ?)");
        gone += connection.prepare_cached(&delete)?.execute(params![earlier, STEP])?;
    }
    Ok(gone > 0)
}

/// Bytes in use.
pub(super) fn used(connection: &Connection) -> Result<u64> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok((number("page_count")?.saturating_sub(number("freelist_count")?)) * number("page_size")?)
}
