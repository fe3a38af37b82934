//! What is asked of a whole store, however large: answers of bounded size, from counts and indices.

use anyhow::{Context as _, Result};
use rusqlite::params;

use super::{Condition, Field, Group, Instant, Selection, Store, count, sums};
use crate::event::{Event, ResetId, Stack};

/// Every block of the index of reset ids: `schema/2.sql`. Where a file has no such index yet, all events are gone through.
const BLOCKS: &str = "event.id / 16384 IN (WITH RECURSIVE block (number) AS (SELECT min(id) / 16384 FROM event \
    UNION ALL SELECT number + 1 FROM block WHERE number < (SELECT max(id) / 16384 FROM event)) SELECT number FROM block)";

/// Events of one kind that are no findings: those have no ends.
const NOTICES: &str =
    "SELECT detail FROM event WHERE kind = ? AND time >= ? AND time < ? AND local IS NULL ORDER BY time";

/// The latest of what an index has found: the sign keeps SQLite from going through all events by their time.
const LATEST: &str = "+event.time DESC";

/// Findings of one program with one call stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackCount {
    /// Name of the process; None where nobody knows it.
    pub process: Option<String>,
    /// The stack.
    pub stack: Stack,
    /// Findings.
    pub events: u64,
}

/// A stream of events: a run of the observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Name of the host.
    pub host: String,
    /// Time of its first event, ns since 1970.
    pub begin: Instant,
    /// Time of its last event, ns since 1970.
    pub last: Instant,
    /// It was stopped in order: its last event is here.
    pub ended: bool,
    /// Events of its end that were never written, since the observer was killed; None where that is not known.
    pub missing: Option<u64>,
}

/// What a finding is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Its number in its stream, on a host where that is said.
    Number {
        /// The host.
        host: Option<String>,
        /// `seq`.
        seq: u64,
    },
    /// `tcp.reset_id`.
    Reset(ResetId),
}

/// The condition on findings that are called so.
fn called(selection: &Selection, name: &Name) -> Condition {
    let mut condition = Selection { all_types: false, ..selection.clone() }.events();
    match name {
        Name::Number { host, seq } => {
            condition.value("event.seq = ?", i64::try_from(*seq).unwrap_or(i64::MAX));
            if let Some(host) = host {
                condition.value("session.host = ?", host.clone());
            }
        }
        Name::Reset(id) => {
            condition.and(BLOCKS);
            condition.value("event.reset_id = ?", id.to_string());
        }
    }
    condition
}

impl Store {
    /// Findings that are called so, the latest first, so many at most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn named(&self, selection: &Selection, name: &Name, most: usize) -> Result<Vec<Event>> {
        let mut found = Vec::new();
        self.read(&called(selection, name), &format!("{LATEST} LIMIT {most}"), |event| {
            found.push(event);
            Ok(true)
        })?;
        Ok(found)
    }

    /// For many questions about one selection: where it takes single events to answer them, they are counted here, once.
    /// Until the next such call this store counts these only, and what is given back selects among them.
    ///
    /// # Errors
    /// When the file cannot be read, or there is no room for the counts.
    pub fn focus(&self, selection: &Selection) -> Result<Selection> {
        count::focus(&self.connection, selection)
    }

    /// Sums the counts of a selection's time up, once: until the next such call, groups of that time are made of the sums.
    /// Where single events have to be counted it does nothing.
    ///
    /// # Errors
    /// As [`Store::focus`].
    pub fn sum(&self, selection: &Selection) -> Result<()> {
        if selection.is_tallied() { sums::make(&self.connection, selection) } else { sums::forget(&self.connection) }
    }

    /// The largest groups, so many at most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn largest(&self, selection: &Selection, by: &[Field], count: u32) -> Result<Vec<Group>> {
        count::groups(&self.connection, selection, by, Some(count))
    }

    /// The call stacks with the most findings, so many at most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stacks(&self, selection: &Selection, count: u32) -> Result<Vec<StackCount>> {
        let mut find = self.connection.prepare("SELECT detail FROM stack WHERE id = ?")?;
        let heaviest = count::stacks(&self.connection, selection, count)?;
        heaviest
            .into_iter()
            .map(|(process, id, events)| {
                let detail: String = find.query_row([id], |row| row.get(0))?;
                let stack = serde_json::from_str(&detail).context("a stack of the store cannot be read")?;
                Ok(StackCount { process, stack, events })
            })
            .collect()
    }

    /// Events of a type that are no findings, within the time that is selected, by time.
    ///
    /// # Errors
    /// When the file cannot be read, and those of `each`.
    pub fn notices(&self, name: &str, selection: &Selection, mut each: impl FnMut(Event) -> Result<()>) -> Result<()> {
        let mut kinds = self.connection.prepare("SELECT id FROM kind WHERE type = ? AND cause IS NULL")?;
        let mut find = self.connection.prepare(NOTICES)?;
        let (since, until) = (selection.since.unwrap_or(Instant::MIN), selection.until.unwrap_or(Instant::MAX));
        for kind in kinds.query_map([name], |row| row.get::<_, i64>(0))? {
            let mut rows = find.query(params![kind?, since, until])?;
            while let Some(row) = rows.next()? {
                let detail: String = row.get(0)?;
                each(serde_json::from_str(&detail).context("an event of the store cannot be read")?)?;
            }
        }
        Ok(())
    }

    /// The runs of observers that have events within the time that is selected, by host and time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sessions(&self, selection: &Selection) -> Result<Vec<Session>> {
        let mut find = self.connection.prepare(
            "SELECT host, begin, last, ended, missing FROM session WHERE last >= ? AND begin < ? ORDER BY host, begin",
        )?;
        let (since, until) = (selection.since.unwrap_or(Instant::MIN), selection.until.unwrap_or(Instant::MAX));
        let sessions = find.query_map(params![since, until], |row| {
            Ok(Session {
                host: row.get(0)?,
                begin: row.get(1)?,
                last: row.get(2)?,
                ended: row.get(3)?,
                missing: row.get(4)?,
            })
        })?;
        Ok(sessions.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Folder, fleet},
        store::{Limits, Recorder, query, schema},
    };

    /// How SQLite would go about it, in its words.
    fn plan(store: &Store, query: &str, values: &[&dyn rusqlite::ToSql]) -> String {
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = statement.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        steps.map(|step| step.unwrap() + "\n").collect()
    }

    fn names() -> [Name; 3] {
        let host = Some("web-1".to_owned());
        let reset = Name::Reset(ResetId(0xb000_0000_0000_0001));
        [Name::Number { host: None, seq: 1 }, Name::Number { host, seq: 1 }, reset]
    }

    #[test]
    fn no_look_up_goes_through_all_events() {
        let store = Store::holding(&fleet());
        for (name, index) in names().iter().zip(["event_seq (seq=?)", "event_seq (seq=?)", "event_reset (<expr>=? AND"])
        {
            for selection in [Selection::default(), Selection::default().within(Some(0), Some(Instant::MAX))] {
                let condition = called(&selection, name);
                let plan = plan(&store, &query(&condition, LATEST), &condition.values());
                assert!(plan.contains(&format!("SEARCH event USING INDEX {index}")), "{name:?}: {plan}");
            }
        }
        let plan = plan(&store, NOTICES, params![1, 0, Instant::MAX]);
        assert!(plan.contains("event_notice (kind=? AND time>? AND time<?)"), "{plan}");
    }

    #[test]
    fn a_file_of_the_first_version_is_read_and_made_a_current_one_by_who_writes_it() {
        let folder = Folder::new("first-version");
        let path = folder.join("events.db");
        schema::tests::first_version(&path, &fleet());
        let answers = || {
            let store = Store::open(&path).unwrap();
            let found = names().map(|name| store.named(&Selection::default(), &name, 9).unwrap());
            let mut notices = Vec::new();
            store
                .notices("started", &Selection::default(), |event| {
                    notices.push(event);
                    Ok(())
                })
                .unwrap();
            (found, notices, store.groups(&Selection::default(), &[Field::Cause]).unwrap())
        };
        let version = || {
            let connection = Store::open(&path).unwrap().connection;
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).unwrap()
        };
        let before = answers();
        assert!(before.0.iter().all(|found| !found.is_empty()) && !before.1.is_empty());
        assert_eq!(version(), 1, "reading changes nothing");
        drop(Recorder::open(&path, Limits::default()).unwrap());
        assert_eq!(version(), schema::version());
        assert_eq!(answers(), before);
    }
}
