//! The one that writes a file. Beside the file it keeps `NAME.lock`: nobody else may write meanwhile, and it tells which
//! event was the last on its way, should the observer be killed.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    Limits, Store, is_damaged,
    limit::{self, Removed},
    schema,
    write::Rows,
};
use crate::{clock, diagnose::diagnose, event::Event};

/// Permissions of what is made: events name users and arguments.
const MODE: u32 = 0o640;

/// Pages of the log at which it is brought into the file.
const CHECKPOINT: u32 = 4_000;

/// Kibibytes of pages in memory: what a batch writes to all tables and indices, so that it is written once.
const CACHE: i64 = 4_096;

/// Bytes of the log that are kept once it was brought in.
const LOG_KEPT: u64 = 64 << 20;

/// Steps of removal within one delivery, beyond what the delivery itself makes necessary.
const STEPS: usize = 2;

/// Writes events into a file.
pub struct Recorder {
    path: PathBuf,
    limits: Limits,
    connection: Connection,
    rows: Rows,
    lock: File,
}

/// What is on its way, in `NAME.lock`: the session, and the number of its last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    session: i64,
    seq: u64,
}

impl Recorder {
    /// Opens a file for writing, and makes it where it is missing. One that is damaged is set aside.
    ///
    /// # Errors
    /// When somebody else writes it, it is another program's, or nothing can be written there.
    pub fn open(path: &Path, limits: Limits) -> Result<Self> {
        let lock = locked(path)?;
        let connection = match writing(path) {
            Err(error) if error.downcast_ref().is_some_and(is_damaged) => {
                set_aside(path, &error)?;
                writing(path)
            }
            opened => opened,
        };
        let connection = connection.with_context(|| format!("cannot record into {}", path.display()))?;
        let mut recorder = Self { path: path.to_owned(), limits, connection, rows: Rows::default(), lock };
        recorder.miss().with_context(|| format!("cannot record into {}", path.display()))?;
        Ok(recorder)
    }

    /// A store in memory, as for events from a file.
    ///
    /// # Errors
    /// When there is no room.
    pub fn in_memory() -> Result<Self> {
        Self::temporary(Connection::open_in_memory()?)
    }

    /// A store in a temporary file that is gone with it, for events that may not fit into memory.
    ///
    /// # Errors
    /// When there is no room.
    pub fn on_disk() -> Result<Self> {
        // SQLite's own temporary files: an empty name.
        Self::temporary(Connection::open("")?)
    }

    fn temporary(mut connection: Connection) -> Result<Self> {
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        prepare(&mut connection)?;
        let lock = OpenOptions::new().write(true).open("/dev/null").context("cannot open /dev/null")?;
        Ok(Self { path: PathBuf::new(), limits: Limits::default(), connection, rows: Rows::default(), lock })
    }

    /// What is recorded, to be read.
    #[must_use]
    pub fn into_store(self) -> Store {
        Store::of(self.connection)
    }

    /// Writes events, all or none. A damaged file is set aside, and a new one begun.
    ///
    /// # Errors
    /// When they could not be written; they may be tried again.
    pub fn append(&mut self, events: &[Event]) -> Result<()> {
        match self.try_append(events) {
            Err(error) if is_damaged(&error) => {
                self.begin_anew(&error.into())?;
                self.try_append(events).map_err(anyhow::Error::from)
            }
            appended => appended.map_err(anyhow::Error::from),
        }
        .with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn try_append(&mut self, events: &[Event]) -> rusqlite::Result<()> {
        let Some(last) = events.last() else { return Ok(()) };
        self.mark(last);
        let (sessions, before) = (self.rows.sessions(), self.rows.session_of(&last.host.name));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let appended = self.rows.append(&transaction, events).and_then(|()| transaction.commit());
        match &appended {
            // A session that has begun has its number only now.
            Ok(()) if self.rows.session_of(&last.host.name) != before => self.mark(last),
            Ok(()) => {}
            Err(_) => self.rows.undone(sessions),
        }
        appended
    }

    /// Removes some of what is too much; whether anything was.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn tidy(&mut self) -> Result<bool> {
        let mut removed = false;
        for _ in 0..STEPS {
            let step = limit::step(&mut self.connection, self.limits, clock::present());
            let Removed { rows, meanings } =
                step.with_context(|| format!("cannot remove the oldest events of {}", self.path.display()))?;
            if meanings {
                self.rows.forget();
            }
            removed |= rows > 0;
            if rows == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// Goes on with other limits.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Brings everything into the file itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.connection
            .pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                other => Err(other),
            })
            .with_context(|| format!("cannot complete {}", self.path.display()))
    }

    /// Notes what is on its way.
    pub(super) fn mark(&self, last: &Event) {
        let session = self.rows.session_of(&last.host.name).unwrap_or(0);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&session.to_le_bytes());
        bytes[8..].copy_from_slice(&last.seq.to_le_bytes());
        // Without it, nobody knows after a kill how many events were on their way.
        let _ = self.lock.write_all_at(&bytes, 0);
    }

    /// Notes how many events of the last session are missing, if it was killed.
    fn miss(&mut self) -> rusqlite::Result<()> {
        let mark = read_mark(&self.lock);
        self.connection.execute(
            "UPDATE session SET missing = max(0, ?2 - coalesce((SELECT max(seq) FROM event WHERE session = ?1), -1)) \
             WHERE id = ?1 AND ended = 0 AND missing IS NULL",
            params![mark.session, mark.seq],
        )?;
        Ok(())
    }

    fn begin_anew(&mut self, error: &anyhow::Error) -> Result<()> {
        // The file must not be open while it is moved.
        self.connection = Connection::open_in_memory()?;
        set_aside(&self.path, error)?;
        self.connection = writing(&self.path)?;
        self.rows = Rows::default();
        Ok(())
    }
}

/// Takes the lock of a file.
fn locked(path: &Path) -> Result<File> {
    let name = lock_of(path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(MODE);
    let lock = options.open(&name).with_context(|| format!("cannot open {}", name.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("somebody else records into {}: name another file", path.display())
        }
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", name.display())),
    }
}

fn read_mark(lock: &File) -> Mark {
    let mut bytes = [0; 16];
    if lock.read_exact_at(&mut bytes, 0).is_err() {
        return Mark::default();
    }
    let word = |from: usize| bytes[from..from + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
    Mark { session: word(0).cast_signed(), seq: word(8) }
}

/// Opens a file for writing and brings it to the current version.
fn writing(path: &Path) -> Result<Connection> {
    // With these permissions, whatever the mask says.
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let mut connection = Connection::open(path)?;
    // Somebody who reads it may hold it for a moment.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Whole after a crash of the machine, too, but for the last moments.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    prepare(&mut connection)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> Result<()> {
    super::functions(connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    schema::migrate(connection)
}

/// Gives a damaged file another name, with all that belongs to it. It is never removed.
fn set_aside(path: &Path, error: &anyhow::Error) -> Result<()> {
    let aside = beside(path, &format!(".damaged-{}", clock::stamp(None)));
    fs::rename(path, &aside).with_context(|| format!("cannot set the damaged file {} aside", path.display()))?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot set {}{suffix} aside", path.display()));
            }
            _ => {}
        }
    }
    diagnose(format_args!(
        "{} is damaged ({error:#}): set aside as {}, recording goes on in a new file",
        path.display(),
        aside.display()
    ));
    Ok(())
}

/// The file by whose lock a recorder keeps others away.
pub(super) fn lock_of(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
