//! Events against the published JSON Schema, by a validator that is not ours.

use conn_observer_tests::actor::script;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, PythonModule, Sources};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::python;
use conn_observer_tests::run::{observe, observer_alone, run};

use super::fleet;
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "deploy", [Sources, PythonModule("jsonschema")], [the_fleets_events_follow_the_published_schema]);
    add!(
        suite,
        "deploy",
        [PrivateNetns, Bpf, Sources, PythonModule("jsonschema")],
        [what_the_observer_tells_follows_the_published_schema]
    );
}

fn the_fleets_events_follow_the_published_schema() {
    let lines = fleet();
    assert_eq!(faults(&lines), Vec::<String>::new());
    let wrong = [lines[0].clone(), lines[3].replace("close_unread", "close_unready")];
    assert!(faults(&wrong).iter().all(|fault| fault.starts_with("line 2: ")), "{:?}", faults(&wrong));
    assert!(!faults(&wrong).is_empty(), "the validator does look");
}

fn what_the_observer_tells_follows_the_published_schema() {
    Netns::run(|_| {
        let outcome = observe(&["--churn", "1s", "--dns"], &script("unread 100 then linger-zero"));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let lines: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
        for kind in ["started", "close", "reset_received", "audit", "stopped"] {
            assert!(outcome.lines().iter().any(|event| event.kind() == kind), "{kind}: {outcome:?}");
        }
        assert_eq!(faults(&lines), Vec::<String>::new());
    });
}

/// What the validator finds fault with.
fn faults(lines: &[String]) -> Vec<String> {
    let folder = Folder::new("schema");
    let schema = observer_alone(&["schema"]);
    assert_eq!(schema.code, Some(0), "{schema:?}");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut command = python::script("validate.py");
    command.arg(folder.write("schema.json", &schema.stdout)).arg(folder.write("lines", &text));
    let outcome = run(command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let mut said: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
    assert_eq!(said.pop(), Some(format!("{} lines", lines.len())), "all were looked at");
    said
}
