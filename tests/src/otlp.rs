//! A receiver of OpenTelemetry logs that is not of our making (`tests/peers/python/otlp_receiver.py`), and what it got.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver as Lines};
use std::thread;

use serde_json::{Value, json};

use crate::deadline::DEADLINE;
use crate::event::Event;
use crate::python;

/// A running receiver.
pub struct Receiver {
    child: Child,
    lines: Lines<String>,
    port: u16,
}

impl Receiver {
    /// Starts one in this thread's namespace, at a free port; returns once it listens.
    pub fn start(protocol: &str, options: &[&str]) -> Self {
        Self::at(protocol, 0, options)
    }

    /// The same at a given port.
    pub fn at(protocol: &str, port: u16, options: &[&str]) -> Self {
        let mut command = python::script("otlp_receiver.py");
        command.args([protocol, &port.to_string()]).args(options);
        // A client that does not trust it is part of the tests.
        command.env("GRPC_VERBOSITY", "NONE");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut receiver = Self { child, lines, port };
        receiver.port = receiver.line().parse().expect("a port");
        receiver
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next record.
    pub fn record(&self) -> Record {
        Record(serde_json::from_str(&self.line()).expect("JSON"))
    }

    /// Records up to and with the first that `last` accepts.
    pub fn records_until(&self, last: impl Fn(&Record) -> bool) -> Vec<Record> {
        let mut records = vec![self.record()];
        while !records.last().is_some_and(&last) {
            records.push(self.record());
        }
        records
    }

    /// Ends it with SIGKILL; what it had got and nobody has asked for yet.
    pub fn kill(mut self) -> Vec<Record> {
        self.end();
        self.lines.iter().map(|line| Record(serde_json::from_str(&line).expect("JSON"))).collect()
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line from the receiver")
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

/// A log record, with its resource.
#[derive(Debug)]
pub struct Record(Value);

impl Record {
    /// Number of the request that it came in.
    pub fn request(&self) -> u64 {
        self.0["request"].as_u64().expect("a number")
    }

    /// `conn_observer.seq`.
    pub fn seq(&self) -> u64 {
        self.attributes()["conn_observer.seq"].as_u64().expect("a number")
    }

    /// Whether it is the last of its stream.
    pub fn is_last(&self) -> bool {
        self.field("eventName") == "conn_observer.stopped"
    }

    /// A field of the record.
    pub fn field(&self, name: &str) -> &Value {
        &self.0["record"][name]
    }

    /// Attributes of the resource.
    pub fn resource(&self) -> BTreeMap<String, Value> {
        attributes(&self.0["resource"])
    }

    /// Attributes of the record.
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        attributes(&self.0["record"])
    }

    /// Panics unless it tells of this event what matters of it.
    #[track_caller]
    pub fn assert_is(&self, event: &Event) {
        assert_eq!(self.field("eventName"), &json!(format!("conn_observer.{}", event.kind())), "{self:?}");
        assert_eq!(self.field("body")["stringValue"], event.text("message"), "{self:?}");
        let time = self.field("timeUnixNano").as_str().expect("nanoseconds");
        let (seconds, fraction) = time.split_at(time.len() - 9);
        let seconds: u64 = seconds.parse().expect("seconds");
        // A minute has sixty of Unix's seconds.
        let expected = &event.text("time")["2026-01-01T00:00:".len()..];
        assert_eq!(format!("{:02}.{fraction}Z", seconds % 60), expected, "{self:?}");
        let severity = match event.text("severity") {
            "harmful" => "SEVERITY_NUMBER_ERROR",
            "suspect" => "SEVERITY_NUMBER_WARN",
            _ if event.kind() == "loss" => "SEVERITY_NUMBER_WARN",
            // One that does not come out even, or that nobody could make.
            _ if event.kind() == "audit" && event.at("residual") != 0 => "SEVERITY_NUMBER_WARN",
            _ => "SEVERITY_NUMBER_INFO",
        };
        assert_eq!(self.field("severityNumber"), severity, "{self:?}");
        let attributes = self.attributes();
        for (field, attribute) in [
            ("cause", "conn_observer.cause"),
            ("severity", "conn_observer.severity"),
            ("process.pid", "process.pid"),
            ("process.tid", "thread.id"),
            ("process.executable.path", "process.executable.path"),
            ("process.command_args", "process.command_args"),
            ("network.local.address", "network.local.address"),
            ("network.local.port", "network.local.port"),
            ("network.peer.address", "network.peer.address"),
            ("network.peer.port", "network.peer.port"),
            ("tcp.unread_bytes", "conn_observer.tcp.unread_bytes"),
            ("tcp.reset_sent", "conn_observer.tcp.reset_sent"),
            ("tcp.duration_ms", "conn_observer.tcp.duration_ms"),
            ("tcp.reset_id", "conn_observer.tcp.reset_id"),
        ] {
            let value = attributes.get(attribute).unwrap_or(&Value::Null);
            assert_eq!(value, event.at(field), "{attribute} in {self:?}");
        }
        let frames = event.at("stack.user").as_array().map_or(0, Vec::len);
        let lines = attributes.get("code.stacktrace").map_or(0, |text| text.as_str().expect("text").lines().count());
        assert_eq!(lines, frames, "{self:?}");
    }
}

fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let list = of["attributes"].as_array().expect("attributes");
    let pairs: BTreeMap<_, _> =
        list.iter().map(|pair| (pair["key"].as_str().expect("a key").to_owned(), plain(&pair["value"]))).collect();
    assert_eq!(pairs.len(), list.len(), "each key once: {of}");
    pairs
}

/// A value without the name of its kind; 64-bit integers are text in the JSON of protobuf.
fn plain(value: &Value) -> Value {
    let (kind, inner) = value.as_object().and_then(|object| object.iter().next()).expect("a value");
    match kind.as_str() {
        "intValue" => json!(inner.as_str().expect("text").parse::<i64>().expect("a number")),
        "arrayValue" => inner["values"].as_array().into_iter().flatten().map(plain).collect(),
        "kvlistValue" => {
            let pairs = inner["values"].as_array().into_iter().flatten();
            pairs.map(|pair| (pair["key"].as_str().expect("a key").to_owned(), plain(&pair["value"]))).collect()
        }
        _ => inner.clone(),
    }
}
