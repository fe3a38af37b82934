//! The columns of `conn_observer.events`: each is a field of an event, under the field's name and with its value.

use std::collections::BTreeMap;
use std::fs;

use conn_observer_tests::event::Event;
use serde_json::{Value, json};

use super::engine::{ClickHouse, NEEDS};
use super::fleet;
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        NEEDS,
        [
            each_column_is_a_field_with_its_value,
            a_peer_is_named_as_people_name_it,
            a_frame_is_told_by_its_function_and_line_or_its_module
        ]
    );
}

/// Columns that are made of more than one field.
const MADE: [&str; 3] = ["peer", "stack", "raw"];

fn each_column_is_a_field_with_its_value() {
    let fields = fields();
    let mut database = ClickHouse::without_retention();
    let lines = fleet();
    database.ingest(&lines);
    let mut told = BTreeMap::<String, usize>::new();
    for row in database.run("SELECT * FROM conn_observer.events") {
        let event = Event::parse(row["raw"].as_str().expect("a line"));
        for (column, value) in row.as_object().expect("a row").iter().filter(|(name, _)| !MADE.contains(&name.as_str()))
        {
            let path = fields.get(column).unwrap_or_else(|| panic!("{column} is no field of an event"));
            let field = event.at(path);
            let absent = value.is_null() || value == "" || *value == json!([]);
            assert!(same(value, field) || (field.is_null() && absent), "{column}: {value} is not {field} of {event:?}");
            *told.entry(column.clone()).or_default() += usize::from(!absent);
        }
    }
    let never: Vec<&String> = told.iter().filter(|(_, times)| **times == 0).map(|(column, _)| column).collect();
    assert_eq!(never, Vec::<&String>::new(), "columns that no event of the fleet has a value for");
}

/// Times are written differently, and numbers may be.
fn same(value: &Value, field: &Value) -> bool {
    let time = value.as_str().map(|text| format!("{}Z", text.replacen(' ', "T", 1)));
    value == field || (value.is_number() && value.as_f64() == field.as_f64()) || (time.as_deref() == field.as_str())
}

/// Paths of the fields of all events as the schema page has them, by the name of their column.
fn fields() -> BTreeMap<String, String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md")).expect("docs/events.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut fields: BTreeMap<String, String> = names.map(|name| (name.replace('.', "_"), name.to_owned())).collect();
    fields.insert("type".to_owned(), "type".to_owned());
    fields
}

fn a_peer_is_named_as_people_name_it() {
    let mut database = ClickHouse::without_retention();
    database.ingest(&fleet());
    let statement = "SELECT DISTINCT network_role, peer FROM conn_observer.events WHERE peer != '' ORDER BY ALL";
    let expected = [
        json!({"network_role": "client", "peer": "api.prod.example:8443"}),
        json!({"network_role": "client", "peer": "localhost:8080"}),
        json!({"network_role": "server", "peer": "10.0.0.11"}),
        json!({"network_role": "server", "peer": "10.0.0.12"}),
    ];
    assert_eq!(database.run(statement), expected, "a client's port says nothing, a server's does");
}

/// The first one is a stack of which nothing but an address is known.
fn a_frame_is_told_by_its_function_and_line_or_its_module() {
    let mut database = ClickHouse::without_retention();
    database.ingest(&fleet());
    let statement = "SELECT DISTINCT stack FROM conn_observer.events WHERE notEmpty(stack) ORDER BY ALL";
    let [unknown, other, made] = &database.run(statement)[..] else { panic!("three stacks") };
    let close = "net.(*conn).Close (net/net.go:207)";
    assert_eq!(other["stack"], json!([close, "main.health", "libjit.so+0x1000", "?"]));
    assert_eq!(made["stack"][2], "main.(*catalog).Price (shop/catalog.go:88)");
    assert_eq!(unknown["stack"], json!(["?"]));
}
