//! What reaches ClickHouse stays: every line, every field, and what is no event, too.

use serde_json::{Value, json};

use super::engine::{ClickHouse, NEEDS};
use super::{fleet, items, yaml};
use crate::suite::{Suite, add};
use conn_observer_tests::feature::Feature::PythonModule;

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "deploy", NEEDS, [every_line_is_kept_as_it_came, lines_that_are_no_events_are_set_aside]);
    add!(suite, "deploy", [NEEDS[0], NEEDS[1], PythonModule("yaml")], [what_vector_and_fluent_bit_send_becomes_events]);
}

fn every_line_is_kept_as_it_came() {
    let mut database = ClickHouse::without_retention();
    let lines = fleet();
    database.ingest(&lines);
    let mut rows = database.run("SELECT raw FROM conn_observer.events");
    let mut expected: Vec<Value> = lines.iter().map(|line| json!({ "raw": line })).collect();
    for list in [&mut rows, &mut expected] {
        list.sort_by_key(Value::to_string);
    }
    assert_eq!(rows, expected);
    // One line has a field of a version to come.
    let later = "SELECT JSONExtractString(raw, 'later', 'field') AS later FROM conn_observer.events WHERE later != ''";
    assert_eq!(database.run(later), [json!({ "later": "of a newer version" })]);
}

fn lines_that_are_no_events_are_set_aside() {
    let mut database = ClickHouse::without_retention();
    let lines = fleet();
    let torn = &lines[3][..200];
    let bad = [torn, "", "[]", r#"{"schema":"other/1"}"#, r#"{"schema":"conn-observer/1","time":"yesterday"}"#];
    let mixed: Vec<&str> = bad.iter().copied().chain(lines.iter().map(String::as_str)).collect();
    database.ingest(&mixed);
    assert_eq!(database.count("conn_observer.events"), lines.len() as u64);
    let rows = database.run("SELECT raw FROM conn_observer.rejected");
    let mut kept: Vec<&str> = rows.iter().map(|row| row["raw"].as_str().expect("text")).collect();
    let mut expected = bad.to_vec();
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

/// The insert of Fluent Bit's configuration, and that of Vector's sink (`skip_unknown_fields`), with the records that
/// these make.
fn what_vector_and_fluent_bit_send_becomes_events() {
    let mut database = ClickHouse::without_retention();
    let lines = fleet();
    let fluent_bit = yaml("fluent-bit/fluent-bit.yaml");
    let outputs = items(&fluent_bit["pipeline"]["outputs"]);
    let uri =
        outputs.iter().find(|output| output["name"] == "http").expect("an output")["uri"].as_str().expect("a URI");
    let statement = percent_decoded(uri.strip_prefix("/?query=").expect("a query"));
    let records: Vec<String> =
        lines.iter().map(|line| json!({"date": 1_764_000_000.5, "raw": line}).to_string()).collect();
    database.run(&format!("{statement} {}", records.join("\n")));
    assert_eq!(database.count("conn_observer.events"), lines.len() as u64);

    let sink = &yaml("vector/vector.yaml")["sinks"]["clickhouse"];
    assert_eq!((&sink["database"], &sink["table"]), (&json!("conn_observer"), &json!("ingest")));
    assert_eq!(sink["skip_unknown_fields"], true);
    let records: Vec<String> =
        lines.iter().map(|line| json!({ "raw": line, "source_type": "file" }).to_string()).collect();
    let statement = "INSERT INTO conn_observer.ingest SETTINGS input_format_skip_unknown_fields=1 FORMAT JSONEachRow";
    database.run(&format!("{statement} {}", records.join("\n")));
    assert_eq!(database.count("conn_observer.events"), 2 * lines.len() as u64);
    // Delivered twice, told once.
    let once = "(SELECT * FROM conn_observer.events LIMIT 1 BY host_name, time, seq)";
    assert_eq!(database.count(once), lines.len() as u64);
    assert_eq!(database.count("conn_observer.rejected"), 0);
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        decoded.push(u8::from_str_radix(code, 16).expect("two hexadecimal digits").into());
        decoded.push_str(rest);
    }
    decoded
}
