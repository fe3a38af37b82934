//! Command lines: what they ask for, and which are refused.

use clap::CommandFactory as _;

use super::*;
use crate::options::{Format, Sandboxing};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_wrong_command_line_is_one_sentence() {
    let error = Cli::try_parse_from(["conn-observer", "--peer", "10.0.0.0/33"]).unwrap_err();
    let text = sentence(&error.render().to_string());
    assert!(text.starts_with("invalid value '10.0.0.0/33' for '--peer <CIDR>': expected an address"), "{text}");
    assert!(!text.contains('\n'));
}

#[test]
fn audits_can_be_turned_off() {
    let audit = |arguments: &[&str]| {
        let task = Cli::try_parse_from([&["conn-observer"], arguments].concat()).unwrap().task();
        let Ok(Task::Observe(options)) = task else { panic!("not to observe") };
        options.audit
    };
    assert_eq!(audit(&[]), Some(Duration::from_secs(60)));
    assert_eq!(audit(&["--audit", "500ms"]), Some(Duration::from_millis(500)));
    assert_eq!(audit(&["--audit", "0"]), None);
    assert!(Cli::try_parse_from(["conn-observer", "--audit", "10"]).is_err());
}

#[test]
fn fail_on_is_refused_where_filters_hide_the_cause() {
    let task = |arguments: &[&str]| Cli::try_parse_from([&["conn-observer"], arguments].concat()).unwrap().task();
    assert!(task(&["--fail-on", "close_unread", "--cause", "linger_zero"]).is_err());
    assert!(task(&["--fail-on", "clean"]).is_err());
    assert!(task(&["--fail-on", "no_socket"]).is_ok());
    assert!(task(&["--fail-on", "clean", "--all-closes"]).is_ok());
    assert!(task(&["--fail-on", "close_unread,linger_zero"]).is_ok());
}

#[test]
fn a_dash_is_standard_output() {
    let task = Cli::try_parse_from(["conn-observer", "--output", "-"]).unwrap().task();
    let Ok(Task::Observe(options)) = task else { panic!("not to observe") };
    assert_eq!(options.output, Destination::Stdout);
}

#[test]
fn explain_takes_one_event_and_where_to_look_for_it() {
    let task = |words: &[&str]| {
        let cli = Cli::try_parse_from([&["conn-observer", "explain"], words].concat());
        cli.map_err(|error| sentence(&error.render().to_string())).map(Cli::task)
    };
    assert!(matches!(task(&["web-1/3", "events.ndjson", "--until", "03:12"]), Ok(Ok(Task::Look(_)))));
    assert!(matches!(task(&["-", "--store", "events.db"]), Ok(Ok(Task::Look(_)))));
    let twice = task(&["-", "-"]).unwrap().unwrap_err().to_string();
    assert!(twice.starts_with("standard input cannot be both"), "{twice}");
    let unknown = task(&["third"]).unwrap_err();
    assert!(unknown.contains("expected SEQ, HOST/SEQ, a tcp.reset_id"), "{unknown}");
}

#[test]
fn a_report_needs_a_place_to_go() {
    let error = Cli::try_parse_from(["conn-observer", "report", "events.ndjson"]).unwrap_err();
    assert!(sentence(&error.render().to_string()).contains("--output"));
    let words = [
        "conn-observer",
        "report",
        "events.ndjson",
        "-o",
        "x.html",
        "--since",
        "2026-11-26 03:25",
        "--until",
        "2026-11-26 03:10",
    ];
    let error = Cli::try_parse_from(words).unwrap().task().unwrap_err();
    assert_eq!(error.to_string(), "--since has to be before --until");
}

#[test]
fn the_doctor_examines_what_an_observer_does_by_default() {
    let task = |words: &[&str]| Cli::try_parse_from(words).unwrap().task();
    let Ok(Task::Observe(usual)) = task(&["conn-observer"]) else { panic!("not to observe") };
    let Ok(Task::Doctor(request)) = task(&["conn-observer", "doctor", "--hooks", "kprobe"]) else {
        panic!("no doctor")
    };
    assert_eq!((request.options.ring_bytes, request.options.stack_depth), (usual.ring_bytes, usual.stack_depth));
    assert_eq!((request.options.hooks.to_string().as_str(), request.options.format), ("kprobe", Format::Text));
}

#[test]
fn a_user_is_part_of_the_sandbox() {
    let task = |words: &[&str]| Cli::try_parse_from([&["conn-observer"], words].concat()).unwrap().task();
    let Ok(Task::Observe(usual)) = task(&[]) else { panic!("not to observe") };
    assert_eq!((usual.sandbox, usual.user), (Sandboxing::BestEffort, None));
    let Ok(Task::Observe(options)) = task(&["--user", "nobody", "--sandbox", "strict"]) else { panic!("refused") };
    assert_eq!((options.sandbox, options.user.as_deref()), (Sandboxing::Strict, Some("nobody")));
    assert!(task(&["--user", "nobody", "--sandbox", "off"]).is_err());
}

#[test]
fn children_need_somebody_to_follow() {
    let cli = Cli::try_parse_from(["conn-observer", "--children"]).unwrap();
    assert!(cli.task().is_err());
}

#[test]
fn events_go_to_standard_output_unless_a_sink_takes_them() {
    let output = |words: &[&str]| {
        let task = Cli::try_parse_from([&["conn-observer"], words].concat()).unwrap().task();
        let Ok(Task::Observe(options)) = task else { panic!("not to observe") };
        options.output
    };
    assert_eq!(output(&["--sink", "file,path=/a"]), Destination::Nowhere);
    assert_eq!(output(&["--sink", "file,path=/a", "--output", "-"]), Destination::Stdout);
    assert_eq!(output(&["--sink", "prometheus"]), Destination::Stdout, "metrics are not events");
}

/// What is wrong with a command line, or "" when it is a view.
fn told(words: &[&str]) -> String {
    match Cli::try_parse_from([&["conn-observer"], words].concat()) {
        Err(error) => sentence(&error.render().to_string()),
        Ok(cli) => match cli.task() {
            Err(error) => error.to_string(),
            Ok(Task::Look(_)) => String::new(),
            Ok(other) => panic!("{other:?}"),
        },
    }
}

#[test]
fn questions_that_cannot_be_answered_are_refused_in_a_sentence() {
    let query = |words: &[&str]| told(&[&["query", "file"], words].concat());
    assert_eq!(query(&[]), "");
    assert_eq!(query(&["--since", "-15min", "--until", "now", "--group-by", "process,peer", "--sort", "peer"]), "");
    assert_eq!(query(&["--sort", "last", "--cause", "close_unread", "--where", "unit=a.service"]), "");
    assert_eq!(query(&["--sql", "SELECT 1", "--limit", "3", "--format", "csv"]), "");
    for (words, expected) in [
        (&["--since", "soon"][..], "cannot read the time \"soon\""),
        (&["--since", "12:00", "--until", "12:00"], "--since has to be before --until"),
        (&["--group-by", "proces"], "did you mean process?"),
        (&["--where", "unit"], "expected FIELD=VALUE"),
        (&["--where", "units=x"], "did you mean unit?"),
        (&["--type", "closed"], "unknown type closed"),
        (&["--sort", "size"], "neither events, unread, first nor last"),
        (&["--sort", "events"], "--sort events is about counts"),
        (&["--group-by", "process", "--sort", "peer"], "name peer in --group-by, too"),
        (&["--sql", "SELECT 1", "--pid", "7"], "its WHERE takes the place of filters"),
        (&["--sql", "SELECT 1", "--group-by", "pid"], "cannot be used with"),
        (&["--limit", "many"], "invalid value 'many' for '--limit <N>'"),
        (&["--store", "other"], "cannot be used with"),
    ] {
        assert!(query(words).contains(expected), "{words:?}: {}", query(words));
    }
}

#[test]
fn an_export_needs_a_format_and_a_file() {
    let export = |words: &[&str]| told(&[&["export", "events.ndjson"], words].concat());
    assert_eq!(export(&["--format", "parquet", "-o", "x.parquet", "--since", "today"]), "");
    for (words, expected) in [
        (&["-o", "x"][..], "required arguments were not provided: --format"),
        (&["--format", "csv"], "--output <FILE>"),
        (&["--format", "orc", "-o", "x"], "invalid value 'orc' for '--format <FORMAT>'"),
    ] {
        assert!(export(words).contains(expected), "{words:?}: {}", export(words));
    }
}

#[test]
fn two_times_or_two_files_are_compared() {
    let diff = |words: &[&str]| told(&[&["diff"], words].concat());
    assert_eq!(diff(&["a", "b"]), "");
    assert_eq!(diff(&["--store", "a", "--before", "-2h..-1h", "--after", "-1h.."]), "");
    assert_eq!(diff(&["a", "--before", "..12:00", "--after", "12:00..", "--threshold", "1.5", "--fail-on-new"]), "");
    for (words, expected) in [
        (&[][..], "name two files"),
        (&["a"], "name two files"),
        (&["a", "b", "c"], "unexpected"),
        (&["a", "b", "--before", "-2h..-1h", "--after", "-1h.."], "compare two times of one file"),
        (&["a", "--before", "-2h..-1h"], "--after"),
        (&["a", "--before", "-1h..-2h", "--after", "-1h.."], "it ends before it begins"),
        (&["a", "--before", "soon..now", "--after", "-1h.."], "cannot read the time \"soon\""),
        (&["a", "--before", "-2h", "--after", "-1h.."], "expected TIME..TIME"),
        (&["a", "--before", "-2h..-1h", "--after", "-1h..", "--since", "today"], "leave --since and --until away"),
        (&["a", "b", "--threshold", "0.5"], "expected a number from 1 on"),
        (&["a", "b", "--group-by", "peers"], "did you mean peer?"),
        (&["--store", "a", "b"], "cannot be used with"),
    ] {
        assert!(diff(words).contains(expected), "{words:?}: {}", diff(words));
    }
}

#[test]
fn a_replay_has_a_speed_and_sinks() {
    let replay = |words: &[&str]| told(&[&["replay", "events.ndjson"], words].concat());
    for fine in [&[][..], &["--speed", "0"], &["--speed", "10x"], &["--speed", "0.5×"], &["--sink", "file,path=/tmp/x"]]
    {
        assert_eq!(replay(fine), "", "{fine:?}");
    }
    for speed in ["fast", "-1", "x", "inf", "NaN"] {
        let told = replay(&[&format!("--speed={speed}")]);
        assert!(told.contains("expected original, 10x for ten times as fast, or 0 for at once"), "{told}");
    }
    assert!(replay(&["--sink", "fil,path=x"]).contains("--sink fil,path=x"));
}
