//! The metrics of the Prometheus sink, and which of them a query asks for.

use std::collections::BTreeSet;

/// Each metric with its labels.
const METRICS: [(&str, &[&str]); 19] = [
    ("conn_observer_findings_total", &["type", "cause", "severity"]),
    ("conn_observer_process_findings_total", &["process", "cause"]),
    ("conn_observer_peer_findings_total", &["peer", "cause"]),
    ("conn_observer_kernel_acts_total", &["cause"]),
    ("conn_observer_kernel_resets_total", &["cause"]),
    ("conn_observer_submitted_total", &[]),
    ("conn_observer_received_total", &[]),
    ("conn_observer_lost_total", &["where"]),
    ("conn_observer_audit_residual_total", &["counter"]),
    ("conn_observer_sink_delivered_total", &["sink"]),
    ("conn_observer_sink_lost_total", &["sink"]),
    ("conn_observer_sink_retries_total", &["sink"]),
    ("conn_observer_sink_queue_events", &["sink"]),
    ("conn_observer_sink_up", &["sink"]),
    ("conn_observer_build_info", &["version"]),
    ("conn_observer_hook_plan_info", &["plan"]),
    ("process_cpu_seconds_total", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
];

/// Given by Prometheus to every series, and to `up`.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// Every metric.
pub(super) fn names() -> BTreeSet<&'static str> {
    METRICS.iter().map(|(name, _)| *name).collect()
}

/// The metrics that a PromQL expression asks for. Panics when there is no such metric, or it has not the label asked
/// for. `recorded` are the names of recording rules.
#[track_caller]
pub(super) fn asked_for(expression: &str, recorded: &BTreeSet<String>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut allowed: BTreeSet<&str> = SCRAPED.into();
    let mut of_recorded = false;
    let mut matched = Vec::new();
    for (word, rest) in words(expression) {
        if recorded.contains(word) {
            of_recorded = true;
        } else if word.starts_with("conn_observer") || word.starts_with("process_") {
            let (name, labels) = METRICS
                .iter()
                .find(|(name, _)| *name == word)
                .unwrap_or_else(|| panic!("{word} is no metric of ours: {expression}"));
            found.insert(*name);
            allowed.extend(labels.iter());
            for label in matchers(rest) {
                assert!(
                    labels.contains(&label) || SCRAPED.contains(&label),
                    "{name} has no label {label}: {expression}"
                );
            }
        }
        if ["by", "on", "group_left"].contains(&word) {
            matched.extend(list(rest, '(', ')'));
        }
    }
    for label in matched {
        assert!(of_recorded || allowed.contains(label), "nothing has a label {label}: {expression}");
    }
    assert!(of_recorded || !found.is_empty() || expression.contains("up{"), "no metric of ours: {expression}");
    found
}

/// Names with what follows each, outside strings.
fn words(expression: &str) -> Vec<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut words = Vec::new();
    for (part, text) in expression.split('"').enumerate() {
        // Every second part is a string's inside.
        let mut rest = if part % 2 == 0 { text } else { "" };
        while let Some(start) = rest.find(is_part) {
            let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |length| start + length);
            let offset = rest.as_ptr() as usize - expression.as_ptr() as usize;
            words.push((&rest[start..end], &expression[offset + end..]));
            rest = &rest[end..];
        }
    }
    words
}

/// The labels of the matchers that follow a name directly.
fn matchers(rest: &str) -> Vec<&str> {
    let pairs = list(rest, '{', '}');
    pairs.into_iter().filter_map(|pair| pair.split(['=', '!']).next()).map(str::trim).collect()
}

/// What stands between brackets that follow directly, separated by commas.
fn list(rest: &str, open: char, close: char) -> Vec<&str> {
    let Some(inside) = rest.trim_start().strip_prefix(open).and_then(|rest| rest.split(close).next()) else {
        return Vec::new();
    };
    inside.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}
