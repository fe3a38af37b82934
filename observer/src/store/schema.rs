//! The tables, and how older files become current ones. `docs/store.md` explains them; column comments here are its
//! source.

use anyhow::{Result, bail};
use rusqlite::Connection;

/// Marks the file as ours (`PRAGMA application_id`): "CObs".
const APPLICATION: i32 = 0x434f_6273;

/// One step per version of the schema; the number of a version is how many steps it has taken.
const STEPS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Version of the schema that this program writes (`PRAGMA user_version`).
#[must_use]
pub fn version() -> i32 {
    i32::try_from(STEPS.len()).unwrap_or(i32::MAX)
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// Ours, of this version.
    Ours(i32),
}

/// Looks what a file holds.
///
/// # Errors
/// When it is somebody else's, or of a newer version than this program knows.
pub(super) fn look(connection: &Connection) -> Result<Found> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, tables) {
        (_, 0) => Ok(Found::Empty),
        (APPLICATION, _) if version > self::version() => {
            bail!("it is of version {version}, and this program knows up to {}: use a newer one", self::version())
        }
        (APPLICATION, _) => Ok(Found::Ours(version)),
        _ => bail!("it is a database of another program"),
    }
}

/// Brings a file to the current version, all steps or none.
///
/// # Errors
/// As [`look`], and when it cannot be written.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let taken = match look(connection)? {
        Found::Empty => 0,
        Found::Ours(version) => usize::try_from(version).unwrap_or(0),
    };
    if taken == STEPS.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in &STEPS[taken..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", version())?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::{super::write::Rows, *};
    use crate::event::Event;

    /// A file as the first version made it.
    pub(in crate::store) fn first_version(path: &Path, events: &[Event]) {
        let mut connection = Connection::open(path).unwrap();
        let transaction = connection.transaction().unwrap();
        transaction.execute_batch(STEPS[0]).unwrap();
        transaction.pragma_update(None, "application_id", APPLICATION).unwrap();
        transaction.pragma_update(None, "user_version", 1).unwrap();
        Rows::default().append(&transaction, events).unwrap();
        transaction.commit().unwrap();
    }
}
