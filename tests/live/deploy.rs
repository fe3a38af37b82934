//! The examples in `deploy/`, given to the programs they are for; what has no program here is at least read.

mod alerts;
mod clickhouse;
mod columns;
mod dashboard;
mod engine;
mod fleet;
mod hosts;
mod metrics;
mod retention;
mod rsyslog;
mod schema;
mod shippers;
mod vector;

use std::fs;
use std::path::PathBuf;

use conn_observer_tests::{feature, python, run};
use serde_json::Value;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    alerts::tests(suite);
    clickhouse::tests(suite);
    columns::tests(suite);
    dashboard::tests(suite);
    fleet::tests(suite);
    hosts::tests(suite);
    retention::tests(suite);
    rsyslog::tests(suite);
    schema::tests(suite);
    shippers::tests(suite);
    vector::tests(suite);
}

/// A file below `deploy/`.
fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).join(name)
}

/// Its text.
fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// A YAML file as JSON; it must be one document.
fn yaml(name: &str) -> Value {
    let mut command = python::script("read_yaml.py");
    command.arg(path(name));
    let outcome = run::run(command);
    assert_eq!(outcome.code, Some(0), "deploy/{name}: {outcome:?}");
    let mut documents: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(documents.len(), 1, "deploy/{name}: documents");
    documents.remove(0)
}

/// A fleet's events, made by hand: `web-1` and `web-2` are clients of `api-1`.
fn fleet() -> Vec<String> {
    let text = fs::read_to_string(feature::sources().join("events/fleet.ndjson")).expect("the fleet's events");
    text.lines().map(str::to_owned).collect()
}

/// The keys of a JSON object.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap_or_else(|| panic!("an object: {object}")).keys().map(String::as_str).collect()
}

/// The elements of a JSON array; none when it is absent.
fn items(array: &Value) -> &[Value] {
    array.as_array().map(Vec::as_slice).unwrap_or_default()
}
