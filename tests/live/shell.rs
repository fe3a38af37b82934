//! What is printed, read by what people have in a shell: jq and lnav.

use std::fs;
use std::path::Path;
use std::process::Command;

use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::{self, tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::{abort, run, tail};

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(suite, "shell", [PrivateNetns, Bpf, Tool("jq")], [jq_reads_the_stream_and_changes_nothing]);
    add!(suite, "shell", [Sources, Tool("jq")], [jq_reads_what_a_query_prints]);
    add!(suite, "shell", [Sources, Tool("lnav")], [lnav_counts_what_was_recorded]);
    add!(suite, "shell", [PrivateNetns, Bpf, Sources, Tool("lnav")], [lnav_reads_the_stream]);
}

/// What jq makes of a file.
#[track_caller]
fn jq(words: &[&str], file: &Path) -> String {
    let mut command = Command::new(tool("jq").unwrap());
    command.args(words).arg(file);
    let outcome = run::run(command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    outcome.stdout
}

/// Three closes with 60 unread bytes in all, and more, as a file of lines.
fn stream(namespace: &Netns, folder: &Folder) -> std::path::PathBuf {
    let file = folder.path().join("events.ndjson");
    let observer = Observer::within(namespace, &["--output", "-", "--sink", &format!("file,path={}", file.display())]);
    for bytes in [10, 20, 30] {
        abort::unread(Family::V4, Side::Client, bytes);
    }
    abort::linger_zero(Family::V6, Side::Server);
    let report = observer.stop();
    assert_eq!(report.count("close_unread"), 3);
    file
}

fn jq_reads_the_stream_and_changes_nothing() {
    Netns::run(|namespace| {
        let folder = Folder::new("jq");
        let file = stream(namespace, &folder);
        // Its numbers are doubles: ours fit.
        let again: Vec<Event> = jq(&["--compact-output", "."], &file).lines().map(Event::parse).collect();
        assert_eq!(again, tail::all(&file));
        let unread = "map(select(.cause == \"close_unread\").tcp.unread_bytes) | [length, add]";
        assert_eq!(jq(&["--compact-output", "--slurp", unread], &file), "[3,60]\n");
        let first = jq(&["--raw-output", "select(.cause == \"linger_zero\") | .process.comm, .network.type"], &file);
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(first, format!("{own}ipv6\n"));
    });
}

/// The fleet's events, as `query` prints them.
fn queried(folder: &Folder, more: &[&str]) -> std::path::PathBuf {
    let events = feature::sources().join("events/fleet.ndjson");
    let outcome = run::observer_alone(&[&["query", events.to_str().unwrap(), "--format", "json"], more].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    folder.write("answer.json", &outcome.stdout)
}

fn jq_reads_what_a_query_prints() {
    let folder = Folder::new("jq");
    // Counted in the file by hand.
    let counts = "shop close_unread 6 13588\napi-server reset_by_peer 4 0\n";
    let single = "group_by([.process.comm, .cause]) | map([.[0].process.comm, .[0].cause, length, \
                  (map(.tcp.unread_bytes // 0) | add)]) | sort_by(-.[2]) | .[:2][] | map(tostring) | join(\" \")";
    assert_eq!(jq(&["--raw-output", "--slurp", single], &queried(&folder, &[])), counts);
    let groups = queried(&folder, &["--group-by", "process,cause", "--limit", "2"]);
    let row = "[.process, .cause, .events, .unread_bytes] | map(tostring) | join(\" \")";
    assert_eq!(jq(&["--raw-output", row], &groups), counts);
}

/// What lnav answers, with our format as the documentation has it installed.
#[track_caller]
fn lnav(home: &Folder, file: &Path, statement: &str) -> String {
    let command = |words: &[&str]| {
        let mut command = Command::new(tool("lnav").unwrap());
        command.args(words).env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").env("TERM", "dumb");
        command
    };
    let format = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/lnav/conn-observer.json");
    let installed = run::run(command(&["-i", format]));
    assert_eq!(installed.code, Some(0), "{installed:?}");
    let file = file.to_str().unwrap();
    let outcome = run::run(command(&["-n", "-c", &format!(";{statement}"), "-c", ":write-csv-to -", file]));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    outcome.stdout
}

fn lnav_counts_what_was_recorded() {
    let home = Folder::new("lnav");
    let counts = "SELECT \"process/comm\" AS process, cause, count(*) AS events, sum(\"tcp/unread_bytes\") AS unread \
                  FROM conn_observer WHERE cause IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 2";
    let expected = "process,cause,events,unread\nshop,close_unread,6,13588\napi-server,reset_by_peer,4,0\n";
    let events = feature::sources().join("events/fleet.ndjson");
    assert_eq!(lnav(&home, &events, counts), expected);
    // How bad it is has a colour: lnav's levels.
    let levels = "SELECT severity, log_level FROM conn_observer WHERE severity IS NOT NULL GROUP BY 1, 2 ORDER BY 1";
    let expected = "severity,log_level\nbenign,info\nharmful,error\nsuspect,warning\n";
    assert_eq!(lnav(&home, &events, levels), expected);
}

fn lnav_reads_the_stream() {
    Netns::run(|namespace| {
        let home = Folder::new("lnav");
        let file = stream(namespace, &home);
        let statement = "SELECT cause, count(*) AS events, sum(\"tcp/unread_bytes\") AS unread FROM conn_observer \
                         WHERE cause IN ('close_unread', 'linger_zero') GROUP BY 1 ORDER BY 1";
        let expected = "cause,events,unread\nclose_unread,3,60\nlinger_zero,1,0\n";
        assert_eq!(lnav(&home, &file, statement), expected);
        let all = lnav(&home, &file, "SELECT count(*) AS events FROM conn_observer");
        assert_eq!(all, format!("events\n{}\n", tail::all(&file).len()), "no line is taken for something else");
    });
}
