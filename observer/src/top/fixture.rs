//! A store for tests: two minutes of findings.

use serde_json::{Value, json};

use super::figures::SECOND;
use crate::{
    clock,
    event::Event,
    store::{Instant, Recorder, Store},
};

/// When it begins: 2023-11-14 22:13:00 UTC.
pub(super) const START: Instant = 1_699_999_980 * SECOND;

/// What a finding is about.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    /// Seconds since the start.
    pub(super) second: i64,
    pub(super) process: Option<&'a str>,
    pub(super) peer: &'a str,
    pub(super) cause: &'a str,
    pub(super) severity: &'a str,
    pub(super) unread: u64,
}

/// `api` leaves a kilobyte unread each second of the first minute, `nginx` resets now and then in both, and once nobody
/// knows who it was.
pub(super) fn store() -> Store {
    let api = |second| Act {
        second,
        process: Some("api"),
        peer: "db.example",
        cause: "close_unread",
        severity: "harmful",
        unread: 1_000,
    };
    let nginx = |second| Act {
        second,
        process: Some("nginx"),
        peer: if second % 20 == 0 { "10.0.0.7" } else { "10.0.0.8" },
        cause: "linger_zero",
        severity: "suspect",
        unread: 0,
    };
    let nobody = Act { process: None, peer: "10.0.0.9", cause: "no_socket", severity: "benign", ..nginx(7) };
    let acts = (0..60).map(api).chain((0..12).map(|number| nginx(number * 10))).chain([nobody]);
    recorded(acts)
}

/// A store of these findings.
pub(super) fn recorded<'a>(acts: impl IntoIterator<Item = Act<'a>>) -> Store {
    let events: Vec<Event> = (0..).zip(acts).map(|(seq, act)| event(seq, act)).collect();
    let mut recorder = Recorder::in_memory().unwrap();
    recorder.append(&events).unwrap();
    recorder.into_store()
}

fn event(seq: u64, act: Act<'_>) -> Event {
    let mut value = json!({
        "schema": "conn-observer/1", "seq": seq, "time": clock::wall_text(START + act.second * SECOND), "message": "",
        "host": {"name": "node-7"}, "type": "close", "cause": act.cause, "cause_source": "both",
        "severity": act.severity,
        "network": {
            "type": "ipv4", "transport": "tcp", "local": {"address": "10.0.0.1", "port": 40_000},
            "peer": {"address": "10.0.0.2", "port": 5432, "name": act.peer, "name_source": "dns"}
        },
        "tcp": {"reset_sent": true, "unread_bytes": act.unread},
    });
    if let Some(comm) = act.process {
        value["process"] = json!({
            "pid": 4242, "tid": 4242, "comm": comm, "thread": {"name": comm}, "user": {"id": 0},
            "attribution": "current"
        });
    }
    if act.process == Some("api") {
        value["stack"] = stack();
        value["hint"] = json!({"advice": "Read the body to its end, then close it.", "reference": "net/http, Body"});
    }
    Event { message: None, ..serde_json::from_value(value).unwrap() }
}

fn stack() -> Value {
    json!({"user": [
        {"address": "0x1", "symbol": "syscall.Close", "module": "api"},
        {"address": "0x2", "symbol": "main.check", "file": "/src/api.go", "line": 53, "module": "api"},
        {"address": "0x3", "offset": "0x5a3", "module": "libc.so.6"},
    ]})
}
