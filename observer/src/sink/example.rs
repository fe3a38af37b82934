//! Events for the tests of sinks.

use serde_json::{Value, json};

use crate::{delivery::Delivery, event::Event};

/// A harmful close by a process of this name.
pub(super) fn close(seq: u64, comm: &str) -> Event {
    event(
        seq,
        &json!({
            "type": "close", "cause": "close_unread", "cause_source": "both", "severity": "harmful",
            "process": {"pid": 4242, "tid": 4250, "comm": comm, "thread": {"name": "t"}, "user": {"id": 0}, "attribution": "current"},
            "network": {"type": "ipv6", "transport": "tcp", "local": {"address": "fd00::1", "port": 41822},
                        "peer": {"address": "fd00::2", "port": 443}},
            "tcp": {"reset_sent": true},
        }),
    )
}

/// Losses: an event that is about no process. The cause of nothing is as long as wanted.
pub(super) fn loss(seq: u64, length: usize) -> Event {
    event(seq, &json!({"type": "loss", "where": "sink", "sink": "x".repeat(length), "lost": 1, "total_lost": 1}))
}

/// Losses with these numbers.
pub(super) fn losses(seqs: std::ops::Range<u64>, length: usize) -> Delivery {
    Delivery::new(seqs.map(|seq| loss(seq, length)).collect())
}

fn event(seq: u64, body: &Value) -> Event {
    let mut event = json!({
        "schema": "conn-observer/1", "seq": seq, "time": "2026-11-24T08:46:25.029397244Z", "message": "told",
        "host": {"name": "node-7"},
    });
    event.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    serde_json::from_value(event).unwrap()
}
