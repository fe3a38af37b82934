//! The store: what is recorded, what is left of it after a kill, and what is found in it afterwards.

mod damaged;
mod full;
mod incident;
mod killed;
mod stream;

use std::path::Path;
use std::process::Command;

use conn_observer_tests::feature::tool;
use conn_observer_tests::run::{self, Outcome};
use serde_json::Value;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    stream::tests(suite);
    killed::tests(suite);
    full::tests(suite);
    damaged::tests(suite);
    incident::tests(suite);
}

/// What a view of the observer prints about a store.
fn look(view: &str, store: &Path, more: &[&str]) -> Outcome {
    let store = store.to_str().unwrap();
    let outcome = run::observer_alone(&[&[view, "--store", store], more].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

/// Rows of a query.
fn rows(store: &Path, more: &[&str]) -> Vec<Value> {
    let outcome = look("query", store, &[&["--format", "json"], more].concat());
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What SQLite's own shell answers.
fn sqlite(store: &Path, statement: &str) -> String {
    let mut command = Command::new(tool("sqlite3").unwrap());
    command.args(["-readonly", "-cmd", ".timeout 5000"]).arg(store).arg(statement);
    let outcome = run::run(command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.trim().to_owned()
}
