//! The fields of an event as attributes. One that the semantic conventions name has their name; every other has its own,
//! as docs/events.md tells it, behind `conn_observer.`. Stacks are text, as people and backends read them.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use serde_json::Value as Json;

use super::resource::{attribute, text};
use crate::{
    event::{Event, Frame, Process},
    render::printable,
};

/// Fields that the semantic conventions name.
const CONVENTIONS: [(&str, &str); 21] = [
    ("cgroup.path", "process.linux.cgroup"),
    ("container.id", "container.id"),
    ("container.runtime", "container.runtime.name"),
    ("k8s.pod_uid", "k8s.pod.uid"),
    ("network.local.address", "network.local.address"),
    ("network.local.port", "network.local.port"),
    ("network.peer.address", "network.peer.address"),
    ("network.peer.port", "network.peer.port"),
    ("network.transport", "network.transport"),
    ("network.type", "network.type"),
    ("process.command_args", "process.command_args"),
    ("process.executable.path", "process.executable.path"),
    ("process.interactive", "process.interactive"),
    ("process.pid", "process.pid"),
    ("process.runtime.name", "process.runtime.name"),
    ("process.runtime.version", "process.runtime.version"),
    ("process.start_time", "process.creation.time"),
    ("process.thread.name", "thread.name"),
    ("process.tid", "thread.id"),
    ("process.user.id", "process.user.id"),
    ("process.user.name", "process.user.name"),
];

/// Fields that the record, its resource or another attribute tells.
const ELSEWHERE: [&str; 4] = ["host", "message", "time", "type"];

/// All attributes of an event.
pub(super) fn of(event: &Event) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(64);
    // Without the stack, which is told below in another form.
    let mut told = event.clone();
    if let Some(finding) = told.body.finding_mut() {
        finding.stack = None;
    }
    // A type with string keys serialises, into an object.
    if let Ok(Json::Object(fields)) = serde_json::to_value(told) {
        for (name, value) in fields {
            if !ELSEWHERE.contains(&name.as_str()) {
                flatten(name, value, &mut attributes);
            }
        }
    }
    let Some(finding) = event.body.finding() else { return attributes };
    if let Some(process) = &finding.process {
        derived(process, &mut attributes);
    }
    if let Some(stack) = &finding.stack {
        for (name, frames) in [("code.stacktrace", &stack.user), ("conn_observer.stack.kernel", &stack.kernel)] {
            if !frames.is_empty() {
                attributes.push(text(name, stacktrace(frames)));
            }
        }
    }
    attributes
}

/// Objects become dotted names; lists stay lists.
fn flatten(path: String, value: Json, attributes: &mut Vec<KeyValue>) {
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                flatten(format!("{path}.{name}"), value, attributes);
            }
        }
        value => {
            let conventional = CONVENTIONS.iter().find(|(field, _)| *field == path);
            let name = conventional.map_or_else(|| format!("conn_observer.{path}"), |(_, name)| (*name).to_owned());
            attributes.extend(any(value).map(|value| attribute(name, value)));
        }
    }
}

/// None for what is not known.
fn any(value: Json) -> Option<Value> {
    let wrapped = |value| AnyValue { value: any(value) };
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Value::BoolValue(flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::IntValue(whole),
            (None, Some(fraction)) if !number.is_u64() => Value::DoubleValue(fraction),
            // Beyond what an integer of theirs holds.
            _ => Value::StringValue(number.to_string()),
        },
        Json::String(text) => Value::StringValue(text),
        Json::Array(values) => Value::ArrayValue(ArrayValue { values: values.into_iter().map(wrapped).collect() }),
        Json::Object(fields) => {
            let pair = |(key, value)| KeyValue { key, value: Some(wrapped(value)), ..KeyValue::default() };
            Value::KvlistValue(KeyValueList { values: fields.into_iter().map(pair).collect() })
        }
    })
}

/// What the conventions want of a process besides.
fn derived(process: &Process, attributes: &mut Vec<KeyValue>) {
    if let Some(parent) = process.parents.first() {
        attributes.push(attribute("process.parent_pid".to_owned(), Value::IntValue(parent.pid.into())));
    }
    let path = process.executable.as_ref().map(|executable| executable.path.as_str());
    if let Some(name) = path.and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty()) {
        attributes.push(text("process.executable.name", name.to_owned()));
    }
}

/// A frame a line, the innermost first.
fn stacktrace(frames: &[Arc<Frame>]) -> String {
    let lines: Vec<String> = frames.iter().enumerate().map(|(number, frame)| line(number, frame)).collect();
    lines.join("\n")
}

/// `#1 0x5562dce6631c undrained::check+0xbfc (undrained) at /src/undrained.rs:53`
fn line(number: usize, frame: &Frame) -> String {
    let offset = frame.offset.as_deref().map(|offset| format!("+{offset}")).unwrap_or_default();
    let place = match (frame.symbol.as_deref(), frame.module.as_deref()) {
        (Some(symbol), Some(module)) => format!("{symbol}{offset} ({module})"),
        (Some(symbol), None) => format!("{symbol}{offset}"),
        (None, Some(module)) => format!("{module}{offset}"),
        (None, None) => "?".to_owned(),
    };
    let mut text = format!("#{number} ");
    if let Some(address) = &frame.address {
        text.extend([address, " "]);
    }
    text.push_str(&place);
    if frame.inlined == Some(true) {
        text.push_str(" [inlined]");
    }
    if let Some(file) = &frame.file {
        text.extend([" at ", file]);
        if let Some(line) = frame.line {
            text.push_str(&format!(":{line}"));
        }
    }
    // A file may name its functions anything, line ends included.
    printable(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn frames_are_lines() {
        let full = Frame {
            address: Some("0x10".to_owned()),
            symbol: Some("undrained::check".to_owned()),
            offset: Some("0xbfc".to_owned()),
            module: Some("undrained".to_owned()),
            file: Some("/src/undrained.rs".to_owned()),
            line: Some(53),
            inlined: None,
        };
        assert_eq!(line(1, &full), "#1 0x10 undrained::check+0xbfc (undrained) at /src/undrained.rs:53");
        let inlined = Frame { address: None, inlined: Some(true), offset: None, ..full.clone() };
        assert_eq!(line(0, &inlined), "#0 undrained::check (undrained) [inlined] at /src/undrained.rs:53");
        let raw = Frame { symbol: None, file: None, line: None, ..full.clone() };
        assert_eq!(line(2, &raw), "#2 0x10 undrained+0xbfc");
        assert_eq!(line(3, &Frame::default()), "#3 ?");
        let forged = Frame { symbol: Some("a\n#9 0x1 b".to_owned()), ..Frame::default() };
        assert_eq!(stacktrace(&[forged, raw].map(Arc::new)).lines().count(), 2);
    }

    #[test]
    fn values_keep_their_kinds() {
        let json = serde_json::json!({"a": {"b": 1, "c": 1.5, "d": u64::MAX}, "e": [{"f": true}, "g"], "h": null});
        let mut attributes = Vec::new();
        for (name, value) in json.as_object().unwrap().clone() {
            flatten(name, value, &mut attributes);
        }
        let values: BTreeMap<String, Value> =
            attributes.into_iter().map(|one| (one.key, one.value.unwrap().value.unwrap())).collect();
        assert_eq!(values["conn_observer.a.b"], Value::IntValue(1));
        assert_eq!(values["conn_observer.a.c"], Value::DoubleValue(1.5));
        assert_eq!(values["conn_observer.a.d"], Value::StringValue(u64::MAX.to_string()));
        let flag = attribute("f".to_owned(), Value::BoolValue(true));
        let first = Value::KvlistValue(KeyValueList { values: vec![flag] });
        let list = [first, Value::StringValue("g".to_owned())].map(|one| AnyValue { value: Some(one) });
        assert_eq!(values["conn_observer.e"], Value::ArrayValue(ArrayValue { values: list.to_vec() }));
        assert_eq!(values.len(), 4, "what is not known is absent");
    }
}
