//! Questions in SQL. They only read: the database is opened so, and each thing that a statement would do is looked at
//! while it is prepared, since a store of lines is a temporary one that could be written.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail};
use rusqlite::{
    Connection, Error, Statement,
    hooks::{AuthAction, AuthContext, Authorization},
    types::ValueRef,
};

use super::Store;
use crate::table::Cell;

/// Pragmas that tell of the tables and of the file.
const TELLING: [&str; 14] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "database_list",
    "function_list",
    "compile_options",
    "page_count",
    "page_size",
    "integrity_check",
    "quick_check",
];

/// A question that was understood.
pub struct Answer<'s>(Statement<'s>);

impl Store {
    /// Asks in SQL: one statement that only reads. From then on the store can only be read, whatever it was before.
    ///
    /// # Errors
    /// When the statement is wrong or does more than read.
    pub fn sql(&mut self, text: &str) -> Result<Answer<'_>> {
        // What looked at the statement before refuses this, too.
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        self.connection.pragma_update(None, "query_only", true)?;
        let refused = Arc::new(Mutex::new(None));
        let note = Arc::clone(&refused);
        self.connection.authorizer(Some(move |context: AuthContext<'_>| match refusal(&context.action) {
            None => Authorization::Allow,
            Some(what) => {
                note.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
                Authorization::Deny
            }
        }))?;
        prepare(&self.connection, text, &refused).map(Answer)
    }
}

impl Answer<'_> {
    /// Names of its columns.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.column_names().map(str::to_owned).collect()
    }

    /// Its rows; `each` says whether to go on.
    ///
    /// # Errors
    /// When the file cannot be read, and those of `each`.
    pub fn rows(mut self, mut each: impl FnMut(&[Cell]) -> Result<bool>) -> Result<()> {
        let columns = self.0.column_count();
        let mut rows = self.0.query([])?;
        let mut cells = Vec::with_capacity(columns);
        while let Some(row) = rows.next().context("cannot answer --sql")? {
            cells.clear();
            for column in 0..columns {
                cells.push(cell(row.get_ref(column)?));
            }
            if !each(&cells)? {
                break;
            }
        }
        Ok(())
    }
}

fn prepare<'c>(connection: &'c Connection, text: &str, refused: &Mutex<Option<String>>) -> Result<Statement<'c>> {
    let statement = connection.prepare(text).map_err(|error| {
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (&error, refused) {
            (_, Some(what)) => anyhow!("--sql only reads, and {what} does more: use SELECT, WITH, VALUES or EXPLAIN"),
            (Error::MultipleStatement, _) => anyhow!("--sql takes one statement, and these are several"),
            _ => anyhow!("cannot understand --sql: {error}"),
        }
    })?;
    if !statement.readonly() {
        bail!("--sql only reads: use SELECT, WITH, VALUES or EXPLAIN");
    }
    if statement.column_count() == 0 {
        bail!("--sql asks nothing: use SELECT, WITH, VALUES or EXPLAIN");
    }
    Ok(statement)
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Unknown,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// What of an action is more than reading.
fn refusal(action: &AuthAction<'_>) -> Option<String> {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => None,
        AuthAction::Function { function_name } if *function_name != "load_extension" => None,
        AuthAction::Pragma { pragma_name, .. } if TELLING.contains(pragma_name) => None,
        AuthAction::Pragma { pragma_name, .. } => Some(format!("PRAGMA {pragma_name}")),
        AuthAction::Insert { .. } => Some("INSERT".to_owned()),
        AuthAction::Update { .. } => Some("UPDATE".to_owned()),
        AuthAction::Delete { .. } => Some("DELETE".to_owned()),
        AuthAction::Attach { .. } => Some("ATTACH".to_owned()),
        AuthAction::Detach { .. } => Some("DETACH".to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Some("a transaction".to_owned()),
        AuthAction::Analyze { .. } => Some("ANALYZE".to_owned()),
        AuthAction::Reindex { .. } => Some("REINDEX".to_owned()),
        AuthAction::Function { function_name } => Some(format!("{function_name}()")),
        _ => Some("changing tables".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::fleet;

    fn store() -> Store {
        Store::holding(&fleet())
    }

    fn ask(store: &mut Store, text: &str) -> Result<(Vec<String>, Vec<Vec<Cell>>)> {
        let answer = store.sql(text)?;
        let (names, mut rows) = (answer.names(), Vec::new());
        answer.rows(|row| {
            rows.push(row.to_vec());
            Ok(true)
        })?;
        Ok((names, rows))
    }

    #[test]
    fn a_question_is_answered_with_names_and_values() {
        let mut store = store();
        let (names, rows) = ask(
            &mut store,
            "SELECT comm, count(*) AS n, NULL AS unknown, 0.5 AS half, x'0aff' AS bytes FROM finding \
             GROUP BY comm ORDER BY n DESC LIMIT 1;",
        )
        .unwrap();
        assert_eq!(names, ["comm", "n", "unknown", "half", "bytes"]);
        assert_eq!(rows[0][2..], [Cell::Unknown, Cell::Real(0.5), Cell::Text("0aff".to_owned())]);
        assert!(matches!((&rows[0][0], &rows[0][1]), (Cell::Text(_), Cell::Integer(1..))), "{rows:?}");
        for also in [
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x FROM n",
            "VALUES (1), (2)",
            "EXPLAIN QUERY PLAN SELECT * FROM event",
            "PRAGMA table_info(event)",
            "SELECT name FROM pragma_table_info('event')",
            "PRAGMA integrity_check",
            "SELECT * FROM finding WHERE within(peer_address, '10.0.0.0/8')",
        ] {
            assert!(!ask(&mut store, also).unwrap().1.is_empty(), "{also}");
        }
    }

    #[test]
    fn whatever_would_change_something_is_refused() {
        let mut store = store();
        let before = ask(&mut store, "SELECT count(*) FROM event").unwrap().1;
        for (text, told) in [
            ("DELETE FROM event", "DELETE"),
            ("INSERT INTO event (id) VALUES (1) RETURNING id", "INSERT"),
            ("UPDATE event SET seq = 0", "UPDATE"),
            ("WITH a AS (SELECT 1) DELETE FROM event", "DELETE"),
            ("DROP TABLE event", "DELETE"),
            ("CREATE TABLE mine (x)", "INSERT"),
            ("CREATE TEMP TABLE mine (x)", "INSERT"),
            ("ATTACH '/tmp/other.db' AS other", "ATTACH"),
            ("VACUUM INTO '/tmp/copy.db'", "only reads"),
            ("PRAGMA journal_mode = DELETE", "PRAGMA journal_mode"),
            ("PRAGMA query_only = 0", "PRAGMA query_only"),
            ("PRAGMA user_version = 7", "PRAGMA user_version"),
            ("BEGIN IMMEDIATE", "a transaction"),
            ("SELECT load_extension('/tmp/x.so')", "load_extension()"),
            ("SELECT 1; DELETE FROM event", "DELETE"),
            ("SELECT 1; SELECT 2", "several"),
            ("SELEC 1", "syntax error"),
            ("SELECT missing FROM event", "no such column"),
            ("", "SQL is empty"),
        ] {
            let error = format!("{:#}", ask(&mut store, text).unwrap_err());
            assert!(error.contains(told), "{text}: {error}");
        }
        assert_eq!(ask(&mut store, "SELECT count(*) FROM event").unwrap().1, before);
    }
}
