//! Configuration files that are printed: what is in force, and every key explained.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Command};
use schemars::{Schema, schema_for};
use serde::Serialize;
use serde_json::Value;

use super::keys::{self, Key, Kind};
use crate::options::Sinks;

#[derive(Serialize)]
struct Part<'a> {
    sink: &'a Sinks,
}

/// All that is in force.
///
/// # Errors
/// When a path of it is no text.
pub(super) fn show(command: &Command, matches: &ArgMatches, sinks: &Sinks) -> Result<String> {
    let mut text = String::new();
    for (table, keys) in tables(command) {
        let _ = writeln!(text, "[{table}]");
        for key in keys {
            let words = matches.get_raw(key.arg.get_id().as_str()).into_iter().flatten();
            let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
            if let Some(value) = value(key.kind, &words, is_set(&key, matches)) {
                let _ = writeln!(text, "{} = {value}", key.name);
            }
        }
        text.push('\n');
    }
    if !sinks.is_empty() {
        text += &toml::to_string(&Part { sink: sinks }).context("cannot write the sinks as TOML")?;
    }
    Ok(text.trim_end().to_owned() + "\n")
}

/// Whether a key is a flag, and set.
fn is_set(key: &Key<'_>, matches: &ArgMatches) -> bool {
    key.kind == Kind::Flag && matches.get_flag(key.arg.get_id().as_str())
}

/// Words as a TOML value; None when there are none.
fn value(kind: Kind, words: &[String], flag: bool) -> Option<String> {
    let quoted = |word: &String| toml::Value::from(word.as_str()).to_string();
    Some(match kind {
        Kind::Flag => flag.to_string(),
        Kind::Integer => words.first()?.clone(),
        Kind::Text => quoted(words.first()?),
        Kind::Integers => format!("[{}]", words.join(", ")),
        Kind::Texts => format!("[{}]", words.iter().map(quoted).collect::<Vec<_>>().join(", ")),
    })
}

/// Keys by table, in the order of `--help`.
fn tables(command: &Command) -> Vec<(String, Vec<Key<'_>>)> {
    let mut tables: Vec<(String, Vec<Key<'_>>)> = Vec::new();
    for key in keys::all(command) {
        match tables.iter_mut().find(|(table, _)| *table == key.table) {
            Some((_, keys)) => keys.push(key),
            None => tables.push((key.table.clone(), vec![key])),
        }
    }
    tables
}

const HEAD: &str = "\
# Configuration of conn-observer, for `conn-observer --config FILE`. Every key is an option of the command line and may
# be given there instead; what is commented out here is the default.
#
# `conn-observer config check FILE` says what is wrong with a file, `conn-observer config show FILE` what it comes to.
# After a change of [filters] or sinks: `systemctl reload conn-observer`, or SIGHUP. All else needs a restart.
";

/// Every key, explained.
pub(super) fn default(command: &Command) -> String {
    let mut text = HEAD.to_owned();
    for (table, keys) in tables(command) {
        let _ = writeln!(text, "\n[{table}]");
        for key in keys {
            comment(&mut text, &key.arg.get_help().map(ToString::to_string).unwrap_or_default());
            let words: Vec<String> =
                key.arg.get_default_values().iter().map(|word| word.to_string_lossy().into_owned()).collect();
            let value = value(key.kind, &words, false).unwrap_or_else(|| "\"\"".to_owned());
            let _ = writeln!(text, "#{} = {value}", key.name);
        }
    }
    let schema = schema_for!(Sinks);
    for (kind, _) in properties(schema.as_value()) {
        let reference = format!("/properties/{kind}/items/$ref");
        let target = schema.pointer(&reference).and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        let Some(sink) = target.and_then(|target| schema.pointer(target)) else { continue };
        text.push('\n');
        comment(&mut text, description(sink));
        let _ = writeln!(text, "#[[sink.{kind}]]");
        for (name, property) in properties(sink) {
            comment(&mut text, &with_choices(&schema, property));
            let _ = writeln!(text, "#{} = {}", name, literal(property.get("default")));
        }
    }
    text
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What a key means, and what it may be.
fn with_choices(schema: &Schema, property: &Value) -> String {
    let mut text = description(property).to_owned();
    let target = property.get("$ref").or_else(|| property.pointer("/allOf/0/$ref")).and_then(Value::as_str);
    let target = target.and_then(|target| target.strip_prefix('#')).and_then(|target| schema.pointer(target));
    let choices = target.and_then(|target| target.get("oneOf")).and_then(Value::as_array);
    for choice in choices.into_iter().flatten() {
        let name = choice.get("const").and_then(Value::as_str).unwrap_or_default();
        let _ = write!(text, "\n  {name}: {}", description(choice));
    }
    text
}

/// A default of JSON as TOML.
fn literal(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => toml::Value::from(text.as_str()).to_string(),
        Some(Value::Null) | None => "\"\"".to_owned(),
        Some(Value::Object(_)) => "{}".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Adds lines of comment.
fn comment(text: &mut String, words: &str) {
    for line in words.lines() {
        let _ = writeln!(text, "# {line}");
    }
}
