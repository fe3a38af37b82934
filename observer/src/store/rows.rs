//! Rows that many events mean: found or made once, then known by their number.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, Hasher, RandomState},
    net::IpAddr,
};

use rusqlite::{Connection, Result, ToSql, params};
use serde::Serialize;

use super::{
    parts::Lasting,
    words::{word, words},
};
use crate::{
    cause::Cause,
    clock::Time,
    event::{AddressType, Attribution, CauseSource, Hint, NameSource, Role},
    render,
    severity::Severity,
};

/// Rows of one table that are remembered at most. Beyond it they are looked up again.
const REMEMBERED: usize = 65_536;

/// A row that is the same for many events.
pub(super) trait Row: Hash {
    /// Finds its number by its values.
    const FIND: &'static str;
    /// Makes it of its values; the time when it was seen comes last where the table has one.
    const MAKE: &'static str;
    /// Where the table tells when a row was meant last: tells it.
    const TOUCH: Option<&'static str> = None;

    /// Hands over its values, in the order of the statements.
    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R;
}

/// The numbers of a table's rows.
#[derive(Default)]
pub(super) struct Numbers {
    /// By a hash of the values: its key is random, so that two of so few rows having one is nothing to reckon with, and
    /// nobody can make it happen.
    known: HashMap<u64, Known>,
    key: RandomState,
    bytes: Bytes,
}

/// What a value has to be hashed, in one piece: SipHash is slow at many short ones, and a stack has hundreds.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Of no use without a key.
    fn finish(&self) -> u64 {
        0
    }
}

#[derive(Clone, Copy)]
struct Known {
    id: i64,
    seen: i64,
}

/// Nanoseconds within which the time when a row was seen last is exact.
pub(super) const SEEN: i64 = 60_000_000_000;

impl Numbers {
    /// The number of a row that an event of this time means.
    pub(super) fn of<R: Row>(&mut self, connection: &Connection, row: &R, time: i64) -> Result<i64> {
        self.bytes.0.clear();
        row.hash(&mut self.bytes);
        let key = self.key.hash_one(&self.bytes.0);
        if let Some(known) = self.known.get_mut(&key) {
            if let (Some(touch), true) = (R::TOUCH, time - known.seen > SEEN) {
                connection.prepare_cached(touch)?.execute(params![known.id, time])?;
                known.seen = time;
            }
            return Ok(known.id);
        }
        let id = find_or_make(connection, row, time)?;
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(key, Known { id, seen: time });
        Ok(id)
    }

    /// Forgets them: rows may be gone.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

fn find_or_make<R: Row>(connection: &Connection, row: &R, time: i64) -> Result<i64> {
    let mut find = connection.prepare_cached(R::FIND)?;
    let found = row.values(|values| find.query_row(values, |row| row.get(0)));
    match found {
        Ok(id) => {
            if let Some(touch) = R::TOUCH {
                connection.prepare_cached(touch)?.execute(params![id, time])?;
            }
            Ok(id)
        }
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            let mut make = connection.prepare_cached(R::MAKE)?;
            row.values(|values| {
                let mut values = values.to_vec();
                if R::TOUCH.is_some() {
                    values.push(&time);
                }
                make.insert(values.as_slice())
            })
        }
        Err(error) => Err(error),
    }
}

/// A row of `kind`.
#[derive(Hash)]
pub(super) struct Kind<'a> {
    pub(super) event: &'static str,
    pub(super) cause: Cause,
    pub(super) cause_source: CauseSource,
    pub(super) severity: Severity,
    pub(super) family: Option<AddressType>,
    pub(super) role: Option<Role>,
    pub(super) host_namespace: Option<bool>,
    pub(super) state: Option<&'a str>,
    pub(super) kernel_reason: Option<&'a str>,
    pub(super) fin_received: Option<bool>,
    pub(super) reset_sent: bool,
    pub(super) disagreement: Option<bool>,
    pub(super) hint: Option<&'a Hint>,
}

impl Row for Kind<'_> {
    const FIND: &'static str = "SELECT id FROM kind WHERE type IS ? AND cause IS ? AND cause_source IS ? AND severity IS ? \
        AND family IS ? AND role IS ? AND host_namespace IS ? AND state IS ? AND kernel_reason IS ? AND fin_received IS ? \
        AND reset_sent IS ? AND disagreement IS ? AND advice IS ? AND reference IS ?";
    const MAKE: &'static str = "INSERT INTO kind (type, cause, cause_source, severity, family, role, host_namespace, state, \
        kernel_reason, fin_received, reset_sent, disagreement, advice, reference) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![
            self.event,
            self.cause.name(),
            word(&self.cause_source),
            self.severity.name(),
            words(self.family.as_ref()),
            words(self.role.as_ref()),
            self.host_namespace,
            self.state,
            self.kernel_reason,
            self.fin_received,
            self.reset_sent,
            self.disagreement,
            self.hint.map(|hint| &hint.advice),
            self.hint.map(|hint| &hint.reference),
        ])
    }
}

/// A row of `kind` for an event that is no finding.
#[derive(Hash)]
pub(super) struct PlainKind {
    pub(super) event: &'static str,
    pub(super) severity: Option<&'static str>,
}

impl Row for PlainKind {
    const FIND: &'static str = "SELECT id FROM kind WHERE type IS ? AND severity IS ? AND cause IS NULL";
    const MAKE: &'static str = "INSERT INTO kind (type, severity) VALUES (?, ?)";

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![self.event, self.severity])
    }
}

/// A row of `program`.
#[derive(Hash)]
pub(super) struct Program<'a> {
    pub(super) host: &'a str,
    pub(super) comm: &'a str,
    pub(super) executable: Option<&'a str>,
    pub(super) runtime: Option<&'a str>,
    pub(super) uid: u32,
    pub(super) user: Option<&'a str>,
    pub(super) unit: Option<&'a str>,
    pub(super) container: Option<&'a str>,
    pub(super) pod: Option<&'a str>,
}

impl Row for Program<'_> {
    const FIND: &'static str = "SELECT id FROM program WHERE host IS ? AND comm IS ? AND executable IS ? AND runtime IS ? \
        AND uid = ? AND user IS ? AND unit IS ? AND container IS ? AND pod IS ?";
    const MAKE: &'static str = "INSERT INTO program (host, comm, executable, runtime, uid, user, unit, container, pod) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![
            self.host,
            self.comm,
            self.executable,
            self.runtime,
            self.uid,
            self.user,
            self.unit,
            self.container,
            self.pod,
        ])
    }
}

/// A row of `process`.
#[derive(Hash)]
pub(super) struct Process<'a> {
    pub(super) program: i64,
    pub(super) pid: u32,
    pub(super) start_time: Option<Time>,
    pub(super) detail: Lasting<'a>,
}

impl Row for Process<'_> {
    const FIND: &'static str =
        "SELECT id FROM process WHERE program = ? AND pid = ? AND start_time IS ? AND detail = ?";
    const MAKE: &'static str = "INSERT INTO process (program, pid, start_time, detail, seen) VALUES (?, ?, ?, ?, ?)";
    const TOUCH: Option<&'static str> = Some("UPDATE process SET seen = max(seen, ?2) WHERE id = ?1");

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![self.program, self.pid, self.start_time.map(|time| time.to_string()), json(&self.detail)])
    }
}

/// A row of `actor`.
#[derive(Hash)]
pub(super) struct Actor<'a> {
    pub(super) process: i64,
    pub(super) tid: u32,
    pub(super) thread: &'a str,
    pub(super) attribution: Attribution,
    pub(super) exiting: Option<bool>,
}

impl Row for Actor<'_> {
    const FIND: &'static str =
        "SELECT id FROM actor WHERE process = ? AND tid = ? AND thread = ? AND attribution = ? AND exiting IS ?";
    const MAKE: &'static str = "INSERT INTO actor (process, tid, thread, attribution, exiting) VALUES (?, ?, ?, ?, ?)";

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![self.process, self.tid, self.thread, word(&self.attribution), self.exiting])
    }
}

/// A row of `address`.
#[derive(Hash)]
pub(super) struct Address<'a> {
    pub(super) address: IpAddr,
    pub(super) name: Option<&'a str>,
    pub(super) name_source: Option<NameSource>,
}

impl Row for Address<'_> {
    const FIND: &'static str = "SELECT id FROM address WHERE address = ? AND name IS ? AND name_source IS ?";
    const MAKE: &'static str = "INSERT INTO address (address, name, name_source, seen) VALUES (?, ?, ?, ?)";
    const TOUCH: Option<&'static str> = Some("UPDATE address SET seen = max(seen, ?2) WHERE id = ?1");

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![self.address.to_string(), self.name, words(self.name_source.as_ref())])
    }
}

/// A row of `stack`.
#[derive(Hash)]
pub(super) struct Stack<'a> {
    pub(super) detail: &'a crate::event::Stack,
}

impl Row for Stack<'_> {
    // The place follows from the rest.
    const FIND: &'static str = "SELECT id FROM stack WHERE detail = ?2 AND ?1 IS ?1";
    const MAKE: &'static str = "INSERT INTO stack (place, detail, seen) VALUES (?, ?, ?)";
    const TOUCH: Option<&'static str> = Some("UPDATE stack SET seen = max(seen, ?2) WHERE id = ?1");

    fn values<R>(&self, take: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
        take(params![render::innermost_place(self.detail), json(self.detail)])
    }
}

/// A value as text.
fn json<T: Serialize>(value: &T) -> String {
    // A type with string keys serialises.
    serde_json::to_string(value).unwrap_or_default()
}
