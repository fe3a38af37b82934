//! What `export` writes, read by engines that are not of our making: DuckDB, and ClickHouse as a library.

use std::path::{Path, PathBuf};

use conn_observer_tests::feature;
use conn_observer_tests::feature::Feature::{self, PythonModule, Sources};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::{python, run};
use serde_json::{Value, json};

use crate::suite::{Suite, add};

const DUCKDB: [Feature; 2] = [Sources, PythonModule("duckdb")];
const CLICKHOUSE: [Feature; 2] = [Sources, PythonModule("chdb")];

pub(crate) fn tests(suite: &mut Suite) {
    add!(suite, "engines", DUCKDB, [duckdb_reads_each_export, duckdb_knows_the_types_of_the_columns]);
    add!(suite, "engines", CLICKHOUSE, [clickhouse_reads_each_export, clickhouse_knows_the_types_of_the_columns]);
}

/// The fleet's events, exported into a folder of a test's own.
fn exported(folder: &Folder, format: &str) -> PathBuf {
    let events = feature::sources().join("events/fleet.ndjson");
    let path = folder.path().join(format!("events.{format}"));
    let words = ["export", &text(&events), "--format", format, "-o", &text(&path)].map(str::to_owned);
    let outcome = run::observer_alone(&words.each_ref().map(String::as_str));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    path
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of letters").to_owned()
}

/// The rows of an answer.
#[track_caller]
fn ask(engine: &str, file: &Path, statement: &str) -> Value {
    let mut command = python::script("engines.py");
    command.arg(engine).arg(file).arg(statement);
    let outcome = run::run(command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// Counts that were taken from the file by hand: process, cause, events, unread bytes.
fn counts() -> Value {
    json!([
        ["api-server", "data_after_close", 1, 0],
        ["api-server", "reset_by_peer", 4, 0],
        ["healthcheck", "linger_zero", 1, 0],
        ["shop", "close_unread", 6, 13_588],
        ["shop", "reset_by_peer", 1, 0],
    ])
}

fn counting(unread: &str, process: &str) -> String {
    format!(
        "SELECT {process}, cause, CAST(count(*) AS INTEGER), CAST(coalesce(sum({unread}), 0) AS INTEGER) FROM {{file}} \
         WHERE cause IS NOT NULL AND cause <> '' GROUP BY 1, 2 ORDER BY 1, 2"
    )
}

fn each_export_is_read(engine: &str) {
    let folder = Folder::new("engines");
    let flat = counting("tcp_unread_bytes", "process_comm");
    assert_eq!(ask(engine, &exported(&folder, "parquet"), &flat), counts());
    assert_eq!(ask(engine, &exported(&folder, "csv"), &flat), counts());
    let nested = counting("tcp.unread_bytes", "process.comm");
    assert_eq!(ask(engine, &exported(&folder, "ndjson"), &nested), counts());
}

fn duckdb_reads_each_export() {
    each_export_is_read("duckdb");
}

fn clickhouse_reads_each_export() {
    each_export_is_read("chdb");
}

fn duckdb_knows_the_types_of_the_columns() {
    let folder = Folder::new("engines");
    let file = exported(&folder, "parquet");
    let types = ask(
        "duckdb",
        &file,
        "SELECT typeof(time), typeof(process_comm), typeof(process_pid), typeof(tcp_duration_ms), typeof(tcp_reset_sent) \
         FROM {file} LIMIT 1",
    );
    assert_eq!(types, json!([["TIMESTAMPTZ_NS", "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN"]]));
    // Nanoseconds, what is not known, and the event that the row is of.
    let values = "SELECT epoch_ns(min(time)), count(*), count(cause), \
                  count(*) FILTER (json_extract_string(event, '$.type') = type) FROM {file}";
    assert_eq!(ask("duckdb", &file, values), json!([[1_795_168_800_000_000_001_i64, 26, 13, 26]]));
}

fn clickhouse_knows_the_types_of_the_columns() {
    let folder = Folder::new("engines");
    let file = exported(&folder, "parquet");
    let types = ask(
        "chdb",
        &file,
        "SELECT toTypeName(time), toTypeName(process_comm), toTypeName(process_pid), toTypeName(tcp_duration_ms), \
         toTypeName(tcp_reset_sent) FROM {file} LIMIT 1",
    );
    let expected = ["DateTime64(9, 'UTC')", "String", "Int64", "Float64", "Bool"];
    assert_eq!(types, json!([expected.map(|name| format!("Nullable({name})"))]));
    let values = "SELECT toString(toUnixTimestamp64Nano(min(time))), toInt32(count()), toInt32(count(cause)), \
                  toInt32(countIf(JSONExtractString(event, 'type') = type)) FROM {file}";
    assert_eq!(ask("chdb", &file, values), json!([["1795168800000000001", 26, 13, 26]]));
}
