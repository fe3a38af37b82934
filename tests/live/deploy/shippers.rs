//! Vector, Fluent Bit and the OpenTelemetry Collector are not here: that their configurations hang together is all that
//! can be told. Each is wired from its sources to its sinks, without a gap or a loose end.

use std::collections::BTreeSet;

use conn_observer_tests::feature::Feature::{PythonModule, Sources};
use serde_json::Value;

use super::{fleet, items, keys, yaml};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        [Sources, PythonModule("yaml")],
        [
            vectors_components_are_wired_from_end_to_end,
            fluent_bits_tags_are_wired_from_end_to_end,
            the_collectors_pipelines_are_made_of_what_is_configured,
        ]
    );
}

fn vectors_components_are_wired_from_end_to_end() {
    let vector = yaml("vector/vector.yaml");
    assert_known(&vector, &["data_dir", "acknowledgements", "sources", "transforms", "sinks"]);
    let mut outputs: BTreeSet<String> = keys(&vector["sources"]).into_iter().map(str::to_owned).collect();
    for (name, transform) in vector["transforms"].as_object().expect("transforms") {
        outputs.insert(name.clone());
        if transform["reroute_dropped"] == true {
            outputs.insert(format!("{name}.dropped"));
        }
    }
    let ends = ["transforms", "sinks"].map(|section| vector[section].as_object().expect("a section").values());
    let inputs: BTreeSet<String> =
        ends.into_iter().flatten().flat_map(|component| items(&component["inputs"])).map(word).collect();
    assert_eq!(inputs, outputs, "everything that comes out goes in somewhere");
}

fn fluent_bits_tags_are_wired_from_end_to_end() {
    let fluent_bit = yaml("fluent-bit/fluent-bit.yaml");
    assert_known(&fluent_bit, &["service", "parsers", "pipeline"]);
    let pipeline = &fluent_bit["pipeline"];
    let mut tags: BTreeSet<String> = items(&pipeline["inputs"]).iter().map(|input| word(&input["tag"])).collect();
    for filter in items(&pipeline["filters"]).iter().filter(|filter| filter["name"] == "rewrite_tag") {
        let rule = word(&filter["rule"]);
        let [_key, expression, new, _keep] = rule.split(' ').collect::<Vec<_>>()[..] else {
            panic!("four words: {rule}")
        };
        let start = expression.strip_prefix('^').expect("an expression about the start of a line");
        assert!(fleet().iter().all(|line| start.len() <= line.len() && is_like(line, start)), "{expression}");
        assert!(tags.contains(&word(&filter["match"])), "{filter}");
        tags.insert(new.to_owned());
    }
    let parsers: BTreeSet<String> = items(&fluent_bit["parsers"]).iter().map(|parser| word(&parser["name"])).collect();
    let used = items(&pipeline["filters"]).iter().filter(|filter| filter["name"] == "parser");
    assert_eq!(used.map(|filter| word(&filter["parser"])).collect::<BTreeSet<_>>(), parsers);
    let matched: BTreeSet<String> = items(&pipeline["outputs"]).iter().map(|output| word(&output["match"])).collect();
    assert_eq!(matched, tags, "each tag goes out somewhere");
    for output in items(&pipeline["outputs"]) {
        assert_eq!(output["retry_limit"], "no_limits", "the default gives up after one retry: {output}");
    }
}

fn the_collectors_pipelines_are_made_of_what_is_configured() {
    let collector = yaml("otel-collector/config.yaml");
    assert_known(&collector, &["receivers", "processors", "exporters", "extensions", "service"]);
    let service = &collector["service"];
    let pipelines = service["pipelines"].as_object().expect("pipelines");
    for kind in ["receivers", "processors", "exporters"] {
        let used: BTreeSet<String> = pipelines.values().flat_map(|pipeline| items(&pipeline[kind])).map(word).collect();
        assert_eq!(used, keys(&collector[kind]).into_iter().map(str::to_owned).collect(), "{kind}");
    }
    let extensions: BTreeSet<String> = items(&service["extensions"]).iter().map(word).collect();
    assert_eq!(extensions, keys(&collector["extensions"]).into_iter().map(str::to_owned).collect());
    let logs = items(&pipelines["logs"]["processors"]);
    assert_eq!(logs.first().map(word).as_deref(), Some("memory_limiter"), "before anything is kept");
    assert_eq!(logs.last().map(word).as_deref(), Some("batch"), "after everything that drops");
}

/// Whether the text begins as a regular expression says that has letters and dots only.
fn is_like(text: &str, start: &str) -> bool {
    text.chars().zip(start.chars()).all(|(found, wanted)| wanted == '.' || found == wanted)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a word: {value}")).to_owned()
}

#[track_caller]
fn assert_known(file: &Value, sections: &[&str]) {
    let found: BTreeSet<&str> = keys(file).into_iter().collect();
    assert_eq!(found, sections.iter().copied().collect());
}
