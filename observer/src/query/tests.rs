use super::*;
use crate::{fixture::fleet, render};

fn store() -> Store {
    Store::holding(&fleet())
}

fn findings() -> Query {
    Query {
        selection: Selection::default(),
        view: View::Events(Order::Oldest),
        format: Format::Table,
        width: None,
        limit: None,
    }
}

fn grouped(by: &[Field], first: Leading) -> Query {
    Query { view: View::Groups { by: by.to_vec(), first }, format: Format::Csv, ..findings() }
}

fn ask(query: &Query) -> String {
    let mut out = Vec::new();
    answer(store(), query, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_is_what_the_live_stream_printed() {
    let json = Query { format: Format::Json, ..findings() };
    let mut live = Vec::new();
    for mut event in fleet().into_iter().filter(|event| event.body.finding().is_some()) {
        // By hand in the file.
        event.message = None;
        render::line(crate::options::Format::Json, &event, &mut live);
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ask(&json)), sorted(std::str::from_utf8(&live).unwrap()));
}

#[test]
fn a_table_shows_who_where_and_how_much() {
    let table = ask(&Query { limit: Some(1), ..findings() });
    assert_eq!(
        table,
        "time                      severity  cause         process     local            peer                   unread  place\n\
         2026-11-20T11:15:00.000Z  harmful   close_unread  shop[4242]  10.0.0.11:40001  api.prod.example:8443   1,000  \
         net.(*conn).Close (net.go:207)\n"
    );
}

#[test]
fn events_that_are_no_findings_show_their_sentence() {
    let selection =
        Selection { all_types: true, types: vec!["churn".to_owned(), "loss".to_owned()], ..Selection::default() };
    let table = ask(&Query { selection, ..findings() });
    assert!(table.contains("suspect   churn  shop[4300]"), "{table}");
    assert!(table.contains("5 findings lost in ring"), "{table}");
}

#[test]
fn events_come_in_the_order_that_is_asked_for() {
    let column = |view: Order, name: &str| -> Vec<String> {
        let text = ask(&Query { view: View::Events(view), format: Format::Json, ..findings() });
        let value = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            event.pointer(name).map(ToString::to_string).unwrap_or_default()
        };
        text.lines().map(value).collect()
    };
    let times = column(Order::Oldest, "/time");
    assert!(times.is_sorted() && times.len() > 10);
    assert!(column(Order::Latest, "/time").iter().rev().is_sorted());
    assert!(column(Order::Field(Field::Process), "/process/comm").is_sorted());
    let unread = column(Order::Unread, "/tcp/unread_bytes");
    let unread: Vec<u64> = unread.iter().map(|unread| unread.parse().unwrap_or(0)).collect();
    assert!(unread.iter().rev().is_sorted() && unread[0] > 0, "{unread:?}");
}

#[test]
fn groups_are_counted_and_sorted() {
    let by = [Field::Process, Field::Cause];
    let text = ask(&grouped(&by, Leading::Events));
    assert_eq!(
        text,
        "process,cause,events,unread_bytes,first,last\n\
         shop,close_unread,6,13588,2026-11-20T11:15:00Z,2026-11-21T13:00:00Z\n\
         api-server,reset_by_peer,4,0,2026-11-20T11:15:00Z,2026-11-20T12:06:00Z\n\
         api-server,data_after_close,1,0,2026-11-20T12:12:00Z,2026-11-20T12:12:00Z\n\
         healthcheck,linger_zero,1,0,2026-11-21T14:00:00Z,2026-11-21T14:00:00Z\n\
         shop,reset_by_peer,1,0,2026-11-20T12:12:00Z,2026-11-20T12:12:00Z\n"
    );
    let first = |leading| ask(&grouped(&by, leading)).lines().nth(1).unwrap().split(",2026").next().unwrap().to_owned();
    assert_eq!(first(Leading::Unread), "shop,close_unread,6,13588");
    assert_eq!(first(Leading::Last), "healthcheck,linger_zero,1,0");
    assert_eq!(first(Leading::First), "api-server,reset_by_peer,4,0");
    assert_eq!(first(Leading::Field(1)), "shop,close_unread,6,13588");
    let two = Query { limit: Some(2), ..grouped(&by, Leading::Events) };
    assert_eq!(ask(&two).lines().count(), 3, "and the names");
}

#[test]
fn numbers_are_numbers_and_sorted_as_such() {
    let query = Query { format: Format::Json, ..grouped(&[Field::Port], Leading::Field(0)) };
    let ports: Vec<u64> = ask(&query)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["port"].as_u64().unwrap())
        .collect();
    assert_eq!(ports, [8_080, 8_443]);
}

#[test]
fn what_is_not_known_is_a_group_of_its_own_and_last() {
    let query = Query { format: Format::Json, ..grouped(&[Field::Unit], Leading::Field(0)) };
    let text = ask(&query);
    assert!(text.lines().last().unwrap().starts_with("{\"unit\":null,\"events\":"), "{text}");
    assert!(text.lines().count() > 1, "{text}");
}

#[test]
fn events_of_other_types_are_counted_where_they_are_asked_for() {
    let selection = Selection { all_types: true, ..Selection::default() };
    let query = Query { selection, ..grouped(&[Field::Type], Leading::Field(0)) };
    let counts: Vec<String> =
        ask(&query).lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = |name: &str| format!("{name} {}", fleet().iter().filter(|event| event.body.name() == name).count());
    let names = ["audit", "churn", "close", "loss", "reset_received", "reset_sent", "started"];
    assert_eq!(counts, names.map(expected));
}

#[test]
fn sql_answers_in_the_same_formats() {
    let sql = |format, limit| {
        let view = View::Sql("SELECT comm, count(*) AS n FROM finding GROUP BY comm ORDER BY n DESC".to_owned());
        ask(&Query { view, format, limit, ..findings() })
    };
    assert_eq!(sql(Format::Table, None), "comm         n\nshop         7\napi-server   5\nhealthcheck  1\n");
    assert_eq!(sql(Format::Csv, Some(1)), "comm,n\nshop,7\n");
    assert_eq!(sql(Format::Csv, Some(0)), "comm,n\n");
    assert_eq!(sql(Format::Json, Some(1)), "{\"comm\":\"shop\",\"n\":7}\n");
}
