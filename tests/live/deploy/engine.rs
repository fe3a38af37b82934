//! ClickHouse as a library (chDB), with `deploy/clickhouse/schema.sql` in a folder of the test's own.

use conn_observer_tests::feature::Feature::{self, PythonModule, Sources};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::peer::Peer;
use conn_observer_tests::python;
use serde_json::{Value, json};

use super::text;

/// What a test needs that runs one.
pub(super) const NEEDS: [Feature; 2] = [Sources, PythonModule("chdb")];

/// The database as users make it.
pub(super) struct ClickHouse {
    peer: Peer,
    folder: Folder,
}

impl ClickHouse {
    /// With the schema, and events of any age: what is old would go at the next merge.
    pub(super) fn without_retention() -> Self {
        let mut database = Self::start();
        for table in ["events", "findings_by_minute"] {
            database.run(&format!("ALTER TABLE conn_observer.{table} REMOVE TTL"));
        }
        database
    }

    /// With the schema.
    pub(super) fn start() -> Self {
        let folder = Folder::new("clickhouse");
        let mut command = python::script("clickhouse.py");
        command.arg(folder.path().join("data"));
        let mut peer = Peer::spawn(command);
        assert_eq!(peer.listen(), "ready");
        let mut database = Self { peer, folder };
        let schema = text("clickhouse/schema.sql");
        let code: Vec<&str> = schema.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        for statement in code.join("\n").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            database.run(statement);
        }
        database
    }

    /// The rows of a statement.
    #[track_caller]
    pub(super) fn run(&mut self, statement: &str) -> Vec<Value> {
        self.peer.tell(&json!(statement).to_string());
        let answer = self.peer.listen();
        let rows: Value = serde_json::from_str(&answer).expect("JSON");
        rows.as_array().unwrap_or_else(|| panic!("{answer}\n{statement}")).clone()
    }

    /// One number.
    #[track_caller]
    pub(super) fn count(&mut self, of: &str) -> u64 {
        self.run(&format!("SELECT count() AS rows FROM {of}"))[0]["rows"].as_u64().expect("a number")
    }

    /// Files of lines, as the schema's head says.
    pub(super) fn ingest<T: AsRef<str>>(&mut self, lines: &[T]) {
        let lines: String = lines.iter().map(|line| format!("{}\n", line.as_ref())).collect();
        let file = self.folder.write("events.ndjson", &lines);
        let statement = "INSERT INTO conn_observer.ingest FORMAT LineAsString";
        assert!(text("clickhouse/schema.sql").contains(statement), "the command is the one that users are told");
        // The client's `< FILE`.
        let from = format!("INTO conn_observer.ingest FROM INFILE '{}'", file.display());
        self.run(&statement.replace("INTO conn_observer.ingest", &from));
    }

    /// One of `deploy/clickhouse/queries` with its parameters, as `clickhouse-client --param_NAME=…` gives them.
    #[track_caller]
    pub(super) fn ask(&mut self, query: &str, parameters: &[(&str, &str)]) -> Vec<Value> {
        for (name, value) in parameters {
            self.run(&format!("SET param_{name} = '{value}'"));
        }
        let statement = text(&format!("clickhouse/queries/{query}.sql"));
        self.run(statement.trim_end().trim_end_matches(';'))
    }
}

/// Compares some columns of all rows.
#[track_caller]
pub(super) fn assert_rows(rows: &[Value], columns: &[&str], expected: &[Value]) {
    let found: Vec<Value> =
        rows.iter().map(|row| columns.iter().map(|column| row[*column].clone()).collect()).collect();
    assert_eq!(found, expected, "{columns:?} of {rows:#?}");
}
