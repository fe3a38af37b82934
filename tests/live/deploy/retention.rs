//! What ClickHouse forgets, and when.

use serde_json::{Value, json};

use super::engine::{ClickHouse, NEEDS};
use super::fleet;
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "deploy", NEEDS, [events_go_after_ninety_days_and_their_rates_later]);
}

fn events_go_after_ninety_days_and_their_rates_later() {
    let mut database = ClickHouse::start();
    let age = |days: u32| format!("SELECT formatDateTime(now64(9) - INTERVAL {days} DAY, '%FT%T.000000000Z') AS time");
    for days in [10, 100, 500] {
        let time = database.run(&age(days))[0]["time"].clone();
        let mut event: Value = serde_json::from_str(&fleet()[3]).expect("an event");
        assert_eq!(event["type"], "close");
        event["time"] = time;
        database.ingest(&[event.to_string()]);
    }
    for table in ["events", "findings_by_minute"] {
        database.run(&format!("OPTIMIZE TABLE conn_observer.{table} FINAL"));
    }
    let ages = "SELECT dateDiff('day', time, now64(9)) AS days FROM conn_observer.events";
    assert_eq!(database.run(ages), [json!({"days": 10})]);
    let ages =
        "SELECT DISTINCT dateDiff('day', minute, now()) AS days FROM conn_observer.findings_by_minute ORDER BY days";
    assert_eq!(database.run(ages), [json!({"days": 10}), json!({"days": 100})]);
}
