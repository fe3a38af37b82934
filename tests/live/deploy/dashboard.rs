//! Grafana's dashboard. Grafana is not here: its queries are given to the parser or engine that would run them, and its
//! shape is looked at.

use std::collections::BTreeSet;

use conn_observer_tests::feature::Feature::{PythonModule, Sources, Tool};
use conn_observer_tests::folder::Folder;
use serde_json::{Value, json};

use super::alerts::promtool;
use super::engine::{ClickHouse, NEEDS};
use super::{fleet, items, metrics, text};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        [Sources],
        [the_dashboards_panels_lie_side_by_side, the_dashboard_shows_every_metric_and_no_other]
    );
    add!(suite, "deploy", [Sources, Tool("promtool")], [prometheus_understands_the_dashboards_queries]);
    add!(suite, "deploy", [NEEDS[0], NEEDS[1], PythonModule("yaml")], [clickhouse_answers_the_dashboards_queries]);
}

const SQL: &str = "grafana-clickhouse-datasource";

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/conn-observer.json")).expect("JSON")
}

/// Every query with the type of its data source and its panel's title.
fn queries(dashboard: &Value) -> Vec<(&str, &Value, &str)> {
    let panels = items(&dashboard["panels"]);
    let targets = panels.iter().flat_map(|panel| items(&panel["targets"]).iter().map(move |target| (panel, target)));
    targets
        .map(|(panel, target)| {
            assert_eq!(target["datasource"], panel["datasource"], "{panel}");
            let kind = target["datasource"]["type"].as_str().expect("a data source");
            (kind, target, panel["title"].as_str().expect("a title"))
        })
        .collect()
}

/// PromQL with Grafana's variables filled in.
fn promql(dashboard: &Value) -> Vec<String> {
    let queries = queries(dashboard).into_iter().filter(|(kind, ..)| *kind == "prometheus");
    let variables = [("$__rate_interval", "5m"), ("$__range", "6h"), ("$instance", ".*"), ("$cause", ".*")];
    let fill = |text: &str| variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let filled: Vec<String> = queries.map(|(_, target, _)| fill(target["expr"].as_str().expect("PromQL"))).collect();
    assert!(filled.iter().all(|query| !query.contains('$')), "another variable: {filled:#?}");
    filled
}

fn the_dashboards_panels_lie_side_by_side() {
    let dashboard = dashboard();
    let panels = items(&dashboard["panels"]);
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each id once");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a position");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for place in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{place:?} is covered twice: {panel}");
        }
    }
    let variables = items(&dashboard["templating"]["list"]);
    for (kind, target, title) in queries(&dashboard) {
        let uid = target["datasource"]["uid"].as_str().expect("a uid");
        let variable = variables.iter().find(|variable| uid == format!("${{{}}}", variable["name"].as_str().unwrap()));
        let variable = variable.unwrap_or_else(|| panic!("{title}: {uid} is no variable"));
        assert_eq!((&variable["type"], &variable["query"]), (&json!("datasource"), &json!(kind)), "{title}");
    }
}

fn the_dashboard_shows_every_metric_and_no_other() {
    let none = BTreeSet::new();
    let queries = promql(&dashboard());
    let shown: BTreeSet<&str> = queries.iter().flat_map(|query| metrics::asked_for(query, &none)).collect();
    assert_eq!(shown, metrics::names());
    let dashboard = dashboard();
    let variables = items(&dashboard["templating"]["list"]).iter().filter(|variable| variable["type"] == "query");
    for variable in variables {
        let query = variable["query"]["query"].as_str().expect("a query");
        metrics::asked_for(query, &none);
    }
}

fn prometheus_understands_the_dashboards_queries() {
    let queries = promql(&dashboard());
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("dashboard:query{number}"), "expr": query}))
        .collect();
    let folder = Folder::new("dashboard");
    // JSON is YAML.
    let file = folder.write("rules.yml", &json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string());
    let checked = promtool(&["check", "rules"], file);
    assert!(checked.stdout.contains(&format!("SUCCESS: {} rules found", queries.len())), "{checked:?}");
}

fn clickhouse_answers_the_dashboards_queries() {
    let mut database = ClickHouse::without_retention();
    database.ingest(&fleet());
    let dashboard = dashboard();
    let mut asked = 0;
    for (_, target, title) in queries(&dashboard).into_iter().filter(|(kind, ..)| *kind == SQL) {
        let statement = in_november(target["rawSql"].as_str().expect("SQL"));
        assert!(!database.run(&statement).is_empty(), "{title} shows nothing of the fleet: {statement}");
        asked += 1;
    }
    assert_eq!(asked, 4);
}

/// `$__timeFilter(COLUMN)` as Grafana's plugin fills it in.
fn in_november(statement: &str) -> String {
    let mut parts = statement.split("$__timeFilter(");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, rest) = part.split_once(')').expect("a column");
        filled += &format!("{column} >= toDateTime('2026-11-01') AND {column} <= toDateTime('2026-12-01'){rest}");
    }
    assert!(!filled.contains('$'), "another macro: {filled}");
    filled
}
