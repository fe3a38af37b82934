//! Prometheus' rules: read by promtool, tested by promtool, and about metrics that there are.

use std::collections::BTreeSet;
use std::process::Command;

use conn_observer_tests::feature::Feature::{PythonModule, Sources, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::run::{Outcome, run};
use serde_json::Value;

use super::{items, metrics, path, yaml};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "deploy", [Sources, Tool("promtool")], [promtool_takes_the_rules_and_their_tests_pass]);
    add!(
        suite,
        "deploy",
        [Sources, PythonModule("yaml")],
        [each_alert_is_tested_to_fire_and_to_be_silent, the_rules_are_about_metrics_that_there_are]
    );
}

/// promtool with a file below `deploy/prometheus` or elsewhere.
#[track_caller]
pub(super) fn promtool(words: &[&str], file: impl AsRef<std::path::Path>) -> Outcome {
    let mut command = Command::new(tool("promtool").expect("promtool"));
    command.args(words).arg(path("prometheus").join(file)).current_dir(path("prometheus"));
    let outcome = run(command);
    assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
    outcome
}

fn promtool_takes_the_rules_and_their_tests_pass() {
    let checked = promtool(&["check", "rules"], "rules.yml");
    assert!(checked.stdout.contains("SUCCESS: 17 rules found"), "{checked:?}");
    promtool(&["check", "config"], "scrape.yml");
    let tested = promtool(&["test", "rules"], "rules_test.yml");
    assert!(tested.stdout.contains("SUCCESS") && !tested.stdout.contains("FAILED"), "{tested:?}");
}

fn rules() -> Vec<Value> {
    let file = yaml("prometheus/rules.yml");
    items(&file["groups"]).iter().flat_map(|group| items(&group["rules"]).to_vec()).collect()
}

/// Names of the recording rules.
pub(super) fn recorded() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)).collect()
}

fn each_alert_is_tested_to_fire_and_to_be_silent() {
    let rules = rules();
    let alerts: BTreeSet<&str> = rules.iter().filter_map(|rule| rule["alert"].as_str()).collect();
    let tests = yaml("prometheus/rules_test.yml");
    let cases = items(&tests["tests"]).iter().flat_map(|test| items(&test["alert_rule_test"]));
    let (silent, firing): (Vec<&Value>, Vec<&Value>) = cases.partition(|case| items(&case["exp_alerts"]).is_empty());
    for cases in [silent, firing] {
        let tested: BTreeSet<&str> = cases.iter().filter_map(|case| case["alertname"].as_str()).collect();
        assert_eq!(tested, alerts);
    }
    let expressions = items(&tests["tests"]).iter().flat_map(|test| items(&test["promql_expr_test"]));
    let tested: BTreeSet<String> = expressions.filter_map(|case| case["expr"].as_str().map(str::to_owned)).collect();
    assert_eq!(tested, recorded());
}

fn the_rules_are_about_metrics_that_there_are() {
    let recorded = recorded();
    for rule in rules() {
        metrics::asked_for(rule["expr"].as_str().expect("an expression"), &recorded);
    }
}
