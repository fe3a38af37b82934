//! The store: events in an SQLite file, which any SQLite client reads while it is written. Written by one observer at a
//! time (`Recorder`), read by everybody (`Store`). What many events mean, such as a process or a stack, is kept once.
//!
//! What is written is committed batch by batch: a killed observer loses at most the batch that was on its way, and the
//! next one that opens the file notes how many events that were.

mod condition;
mod count;
mod field;
mod limit;
mod parts;
mod read;
mod recorder;
mod rows;
mod schema;
mod select;
mod sql;
mod sums;
#[cfg(test)]
mod tests;
mod whole;
mod words;
mod write;
mod written;

use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags, ffi::ErrorCode, functions::FunctionFlags};

pub use count::Group;
pub use field::{Field, Order};
pub use limit::Limits;
pub use recorder::Recorder;
pub use schema::version;
pub use select::{Instant, Selection};
pub use whole::{Name, Session, StackCount};
pub use written::is_written;

use self::{
    condition::{Condition, EVENTS},
    read::{COLUMNS, Events},
};
use crate::event::Event;

/// A store to be read.
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens a file for reading. It may be written meanwhile.
    ///
    /// # Errors
    /// When there is none, or it is not one of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = reading(path).with_context(|| format!("cannot read the store {}", path.display()))?;
        Ok(Self { connection })
    }

    /// A store of these events.
    #[cfg(test)]
    pub(crate) fn holding(events: &[Event]) -> Self {
        let mut recorder = Recorder::in_memory().unwrap();
        recorder.append(events).unwrap();
        recorder.into_store()
    }

    /// A store of these connections.
    fn of(connection: Connection) -> Self {
        Self { connection }
    }

    /// The database itself, for reading.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Events that are selected, by time; `each` says whether to go on.
    ///
    /// # Errors
    /// When the file cannot be read, and those of `each`.
    pub fn events(&self, selection: &Selection, each: impl FnMut(Event) -> Result<bool>) -> Result<()> {
        self.sorted(selection, Order::Oldest, each)
    }

    /// The same, the latest first.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub fn latest(&self, selection: &Selection, each: impl FnMut(Event) -> Result<bool>) -> Result<()> {
        self.sorted(selection, Order::Latest, each)
    }

    /// The same, in another order.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub fn sorted(&self, selection: &Selection, order: Order, each: impl FnMut(Event) -> Result<bool>) -> Result<()> {
        self.read(&selection.events(), &order.text(), each)
    }

    /// Events that a condition holds for, in this order.
    fn read(&self, condition: &Condition, order: &str, mut each: impl FnMut(Event) -> Result<bool>) -> Result<()> {
        let mut statement = self.connection.prepare(&query(condition, order))?;
        let mut rows = statement.query(condition.values().as_slice())?;
        let mut events = Events::default();
        while let Some(row) = rows.next()? {
            if !each(events.event(&self.connection, row)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Counts by group, the largest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn groups(&self, selection: &Selection, by: &[Field]) -> Result<Vec<Group>> {
        count::groups(&self.connection, selection, by, None)
    }

    /// Findings that are selected.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self, selection: &Selection) -> Result<u64> {
        Ok(self.groups(selection, &[])?.first().map_or(0, |group| group.events))
    }

    /// The times of the first and the last event, ns since 1970; None when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn span(&self) -> Result<Option<(i64, i64)>> {
        let span = self.connection.query_row("SELECT min(time), max(time) FROM event", [], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
        Ok(span.0.zip(span.1))
    }
}

/// Asks for events that a condition holds for, in this order.
fn query(condition: &Condition, order: &str) -> String {
    format!("SELECT {COLUMNS} FROM {EVENTS} WHERE {} ORDER BY {order}", condition.text())
}

/// Opens a file that may be written by somebody else, for reading.
fn reading(path: &Path) -> Result<Connection> {
    // Without it, SQLite tells of a missing file in riddles.
    std::fs::metadata(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    let connection = match schema::look(&connection) {
        Err(error) if cannot_open(&error) => {
            // In a folder that cannot be written, and nobody writes it: then it does not change, either.
            let uri = format!("file:{}?immutable=1", escaped(path));
            Connection::open_with_flags(uri, flags)?
        }
        _ => connection,
    };
    match schema::look(&connection)? {
        schema::Found::Empty => anyhow::bail!("there is nothing in it"),
        schema::Found::Ours(_) => {}
    }
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    functions(&connection)?;
    Ok(connection)
}

/// What SQLite has no words for.
fn functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8;
    connection.create_scalar_function("within", 2, flags, |context| {
        let address: Option<String> = context.get(0)?;
        let network: String = context.get(1)?;
        let address = address.and_then(|address| address.parse::<std::net::IpAddr>().ok());
        let network = network.parse::<ipnet::IpNet>().ok();
        Ok(address.zip(network).is_some_and(|(address, network)| network.contains(&address)))
    })
}

fn cannot_open(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<rusqlite::Error>(),
        Some(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::CannotOpen
    )
}

/// A path within a URI.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Whether what is said of a file is that it is damaged, or none of ours at all.
fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
