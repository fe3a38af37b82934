//! The forensic queries, asked about a fleet whose story is known: at noon shop is deployed, and leaves bodies unread.

use serde_json::{Value, json};

use super::engine::{ClickHouse, NEEDS, assert_rows};
use super::fleet;
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        NEEDS,
        [
            who_resets_whom_is_told_with_the_code_that_does_it,
            a_deployment_is_compared_with_the_hours_before_it,
            what_was_lost_on_the_way_is_told_by_host,
            both_ends_of_a_rst_are_joined_across_hosts,
            a_timeline_has_all_hosts_in_order,
        ]
    );
}

const ALL: [(&str, &str); 2] = [("from", "2026-11-20 00:00:00"), ("to", "2026-11-22 00:00:00")];
const DAY: [(&str, &str); 2] = [("from", "2026-11-20 00:00:00"), ("to", "2026-11-21 00:00:00")];
const API: &str = "api.prod.example:8443";

fn filled() -> ClickHouse {
    let mut database = ClickHouse::without_retention();
    database.ingest(&fleet());
    database
}

fn who_resets_whom_is_told_with_the_code_that_does_it() {
    let mut database = filled();
    assert_rows(
        &database.ask("who-resets-whom", &DAY),
        &["host_name", "process_comm", "peer", "resets", "unread_bytes"],
        &[
            json!(["web-1", "shop", API, 3, 9_044]),
            json!(["web-2", "shop", API, 2, 4_534]),
            json!(["api-1", "api-server", "10.0.0.12", 1, null]),
        ],
    );
    assert_rows(
        &database.ask("top", &DAY),
        &["process_comm", "peer", "cause", "findings", "hosts", "harmful", "unacked_bytes"],
        &[
            json!(["shop", API, "close_unread", 5, 2, 5, 0]),
            json!(["api-server", "10.0.0.11", "reset_by_peer", 3, 1, 1, 2_048]),
            json!(["shop", API, "reset_by_peer", 1, 1, 1, 300]),
            json!(["api-server", "10.0.0.12", "data_after_close", 1, 1, 0, null]),
            json!(["api-server", "10.0.0.12", "reset_by_peer", 1, 1, 0, 0]),
        ],
    );
    let stacks = database.ask("by-stack", &[&DAY[..], &[("frames", "3")]].concat());
    assert_rows(
        &stacks,
        &["process_comm", "findings", "hosts", "unread_bytes"],
        &[json!(["shop", 4, 2, 13_066]), json!(["shop", 1, 1, 512])],
    );
    assert_eq!(stacks[0]["code"][2], "main.(*catalog).Price (shop/catalog.go:88)");
    assert!(stacks[0]["hint"].as_str().is_some_and(|hint| hint.starts_with("net/http: read the body")), "{stacks:?}");
    assert_rows(
        &database.ask("churn", &DAY),
        &[
            "host_name",
            "process_comm",
            "peer",
            "last_verdict",
            "windows",
            "highest_rate_per_s",
            "handshakes_wasted_sum",
        ],
        &[json!(["web-1", "shop", API, "resets", 2, 2, 165])],
    );
}

fn a_deployment_is_compared_with_the_hours_before_it() {
    let mut database = filled();
    let parameters = [("deployed", "2026-11-20 12:00:00"), ("hours", "1")];
    assert_rows(
        &database.ask("deployment", &parameters),
        &["process_comm", "cause", "before_per_hour", "after_per_hour", "factor", "is_new"],
        &[
            json!(["shop", "close_unread", 1, 4, 4, 0]),
            json!(["api-server", "reset_by_peer", 1, 3, 3, 0]),
            json!(["api-server", "data_after_close", 0, 1, null, 1]),
            json!(["shop", "reset_by_peer", 0, 1, null, 1]),
        ],
    );
    let rates = database.ask("rates", &[("from", "2026-11-20 12:05:00"), ("to", "2026-11-20 12:06:00")]);
    assert_rows(
        &rates,
        &["minute", "host_name", "cause", "severity", "findings", "resets_sent", "unread_bytes"],
        &[
            json!(["2026-11-20 12:05:00", "api-1", "reset_by_peer", "harmful", 1, 0, 0]),
            json!(["2026-11-20 12:05:00", "api-1", "reset_by_peer", "suspect", 1, 0, 0]),
            json!(["2026-11-20 12:05:00", "web-1", "close_unread", "harmful", 2, 2, 8_044]),
        ],
    );
    // Sums are what the events are, also after more inserts and the merge of what they left.
    database.ingest(&fleet());
    database.run("OPTIMIZE TABLE conn_observer.findings_by_minute FINAL");
    let sums = "SELECT sum(findings) AS findings, sum(resets_sent) AS resets FROM conn_observer.findings_by_minute";
    let events =
        "SELECT count() AS findings, countIf(tcp_reset_sent) AS resets FROM conn_observer.events WHERE cause != ''";
    let (sums, events) = (database.run(sums), database.run(events));
    assert_eq!(sums, events);
    assert_eq!(events[0]["findings"], 26);
}

fn what_was_lost_on_the_way_is_told_by_host() {
    let mut database = filled();
    assert_rows(
        &database.ask("loss", &DAY),
        &["host_name", "runs", "lost_in_kernel", "audit_residual", "lost_in_pipeline"],
        &[json!(["web-1", 2, 7, 0, 0]), json!(["web-2", 1, 0, 2, 2]), json!(["api-1", 1, 0, 0, 0])],
    );
    assert_rows(
        &database.ask("audit", &DAY),
        &["host_name", "counter_name", "kernel", "seen", "residual"],
        &[
            json!(["web-2", "OutRsts", 3, 2, 1]),
            json!(["web-2", "TCPAbortOnClose", 3, 2, 1]),
            json!(["api-1", "OutRsts", 1, 1, 0]),
            json!(["api-1", "TCPAbortOnData", 1, 1, 0]),
        ],
    );
    // A line that arrives twice is not one more.
    database.ingest(&fleet());
    assert_rows(
        &database.ask("loss", &DAY),
        &["host_name", "lost_in_kernel", "lost_in_pipeline"],
        &[json!(["web-1", 7, 0]), json!(["web-2", 0, 2]), json!(["api-1", 0, 0])],
    );
}

/// Each RST has its victim; the one whose victim was not observed is left out, and so is an id that comes again on the
/// next day.
fn both_ends_of_a_rst_are_joined_across_hosts() {
    let mut database = filled();
    let ends = database.ask("both-ends", &ALL);
    assert_rows(
        &ends,
        &["culprit_host", "culprit", "cause", "culprit_unread_bytes", "victim_host", "victim", "victim_lost_bytes"],
        &[
            json!(["web-1", "shop", "close_unread", 1_000, "api-1", "api-server", 0]),
            json!(["web-1", "shop", "close_unread", 4_022, "api-1", "api-server", 2_048]),
            json!(["web-1", "shop", "close_unread", 4_022, "api-1", "api-server", 0]),
            json!(["web-2", "shop", "close_unread", 4_022, "api-1", "api-server", 0]),
            json!(["api-1", "api-server", "data_after_close", null, "web-2", "shop", 300]),
        ],
    );
    assert_eq!(ends[1]["time"], "2026-11-20 12:05:00.000000000", "not the next day's: {ends:?}");
}

fn a_timeline_has_all_hosts_in_order() {
    let mut database = filled();
    let around = |about| [("at", "2026-11-20 12:05:30"), ("seconds", "40"), ("about", about)];
    let all = database.ask("timeline", &around(""));
    let hosts: Vec<&Value> = all.iter().map(|row| &row["host_name"]).collect();
    assert_eq!(hosts, ["web-1", "web-1", "api-1", "api-1", "web-2", "api-1"]);
    let narrowed = database.ask("timeline", &around("40003"));
    assert_rows(&narrowed, &["host_name", "type"], &[json!(["web-1", "close"]), json!(["api-1", "reset_received"])]);
}
