//! Vector's programs, run by Vector's own compiler. Vector itself is not here.

use conn_observer_tests::feature::Feature::{PythonModule, Sources};
use conn_observer_tests::peer::Peer;
use conn_observer_tests::python;
use serde_json::{Value, json};

use super::{fleet, yaml};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        [Sources, PythonModule("pyvrl"), PythonModule("yaml")],
        [vector_hands_lines_on_unchanged_and_makes_fields_of_events, vector_leaves_out_what_is_no_event]
    );
}

/// Runs one of the configuration's programs on lines as the source `file` gives them.
struct Remap {
    peer: Peer,
    program: String,
}

impl Remap {
    fn of(transform: &str) -> Self {
        let program =
            yaml("vector/vector.yaml")["transforms"][transform]["source"].as_str().expect("a program").to_owned();
        let mut peer = Peer::spawn(python::script("remap.py"));
        assert_eq!(peer.listen(), "ready");
        Self { peer, program }
    }

    fn run(&mut self, line: &str) -> Value {
        let event = json!({"message": line, "host": "log-1", "file": "/var/log/x", "source_type": "file"});
        self.peer.tell(&json!([self.program, event]).to_string());
        serde_json::from_str(&self.peer.listen()).expect("JSON")
    }
}

fn vector_hands_lines_on_unchanged_and_makes_fields_of_events() {
    let (mut raw, mut events) = (Remap::of("raw"), Remap::of("events"));
    for line in fleet() {
        assert_eq!(raw.run(&line), json!({ "raw": line }));
        let mut fields = events.run(&line);
        let mut expected: Value = serde_json::from_str(&line).unwrap();
        let time = fields.as_object_mut().and_then(|fields| fields.remove("timestamp")).expect("a timestamp");
        let seconds = expected["time"].as_str().unwrap()[..19].to_owned();
        assert!(time.as_str().is_some_and(|time| time.starts_with(&seconds)), "{time} of {expected}");
        // JSON has no way to tell 2.0 from 2.
        for fields in [&mut fields, &mut expected] {
            *fields = with_plain_numbers(fields);
        }
        assert_eq!(fields, expected);
    }
}

fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(with_plain_numbers).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), with_plain_numbers(value))).collect())
        }
        other => other.clone(),
    }
}

fn vector_leaves_out_what_is_no_event() {
    let mut events = Remap::of("events");
    let torn = fleet()[0][..100].to_owned();
    for line in [torn.as_str(), "[]", "{}", r#"{"schema":"other/1","time":"2026-01-01T00:00:00Z"}"#] {
        let left = events.run(line);
        assert!(left["error"].is_string(), "{line}: {left}");
    }
}
