//! Formats and streams: NDJSON and nothing else on stdout, a sentence per event in text, the schema on request.

use std::fs;

use conn_observer_tests::abort;
use conn_observer_tests::actor::script;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::run;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "contract", [], [the_schema_names_every_cause, help_and_version_are_given_without_privilege,]);
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf],
        [
            the_first_line_says_how_it_observes,
            text_has_a_line_for_each_event,
            output_goes_to_a_file_on_request,
            the_stack_is_as_deep_as_asked_for,
        ]
    );
}

fn the_schema_names_every_cause() {
    let outcome = run::observer_alone(&["schema"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert!(schema["$schema"].is_string(), "{schema}");
    for cause in [
        "close_unread",
        "close_phantom",
        "linger_zero",
        "disconnect",
        "linger2_timeout",
        "listener_close",
        "admin_kill",
        "out_of_memory",
        "data_after_close",
        "data_after_timewait",
        "keepalive_timeout",
        "no_socket",
        "bad_segment",
        "mptcp",
        "unclassified",
        "clean",
    ] {
        assert!(outcome.stdout.contains(&format!("\"{cause}\"")), "{cause}");
    }
}

fn help_and_version_are_given_without_privilege() {
    for flag in ["--help", "--version"] {
        let outcome = run::observer_alone(&[flag]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{flag}");
        assert!(outcome.stdout.contains("conn-observer"), "{outcome:?}");
    }
}

fn the_first_line_says_how_it_observes() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--port", "80", "--stack-depth", "5"]);
        let started = observer.started();
        assert!(["fentry", "kprobe", "tracepoint"].contains(&observer.plan()), "{started:?}");
        let requested = std::env::var("CONN_OBSERVER_HOOKS").unwrap_or_else(|_| "auto".to_owned());
        assert_eq!(started.text("hooks.requested"), requested);
        assert!(started.at("hooks.attached").as_array().is_some_and(|hooks| !hooks.is_empty()), "{started:?}");
        assert_eq!(started.number("ring_bytes"), 4 << 20);
        assert_eq!(started.number("stack_depth"), 5);
        assert!(started.at("filters").to_string().contains("80"), "{started:?}");
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        assert!(started.text("kernel").starts_with(&release), "{started:?}");
    });
}

fn text_has_a_line_for_each_event() {
    Netns::run(|_| {
        let outcome = run::observe(&["--format", "text"], &script("unread 100 then linger-zero"));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let about = |words: &str| outcome.stdout.lines().filter(|line| line.contains(words)).count();
        assert_eq!(about(" closed "), 2, "{outcome:?}");
        assert_eq!(about("reset_by_peer: act-leader["), 2, "{outcome:?}");
        assert_eq!(about("100 unread bytes"), 1, "{outcome:?}");
    });
}

fn output_goes_to_a_file_on_request() {
    Netns::run(|_| {
        let path = std::env::temp_dir().join(format!("conn-observer-events-{}", std::process::id()));
        let arguments = ["--audit", "0", "--output", path.to_str().unwrap()];
        let outcome = run::observe(&arguments, &script("unread 100 then say hello"));
        let events = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), "hello\n", ""));
        let kinds: Vec<String> = events.lines().map(|line| Event::parse(line).kind().to_owned()).collect();
        assert_eq!(kinds, ["started", "reset_received", "close", "stopped"]);
    });
}

fn the_stack_is_as_deep_as_asked_for() {
    Netns::run(|namespace| {
        for (depth, allowed) in [("0", 0..=0), ("1", 1..=1), ("64", 1..=64)] {
            let mut observer = Observer::within(namespace, &["--stack-depth", depth]);
            let event = observer.expect("close_unread", &abort::fence());
            let frames = event.at("stack.user").as_array().map(Vec::as_slice).unwrap_or_default();
            // Inlined functions have no address.
            let frames = frames.iter().filter(|frame| frame["address"].is_string()).count();
            assert!(allowed.contains(&frames), "depth {depth}: {event:?}");
        }
    });
}
