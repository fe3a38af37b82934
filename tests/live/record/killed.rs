//! SIGKILL at random moments: the store stays whole, what is missing of it is no more than what came in the last second,
//! and it is told.

use std::path::Path;

use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::random::Random;
use conn_observer_tests::{abort, binary, soak, tail};
use rustix::process::Signal;

use super::sqlite;
use crate::suite::{Suite, add};

/// Most closes before it is killed.
const MOST_CLOSES: u64 = 2_000;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "record",
        [PrivateNetns, Bpf, Root, Tool("sqlite3")],
        [a_store_whose_observer_was_killed_is_whole_and_tells_what_is_missing]
    );
}

fn a_store_whose_observer_was_killed_is_whole_and_tells_what_is_missing() {
    Netns::run(|namespace| {
        let folder = Folder::new("record-killed");
        let (store, file) = (folder.path().join("events.db"), folder.path().join("events.ndjson"));
        let inode = namespace.inode().to_string();
        let sink = format!("file,path={}", file.display());
        let arguments = ["--netns", &inode, "--record", store.to_str().unwrap(), "--sink", &sink, "--output", "-"];
        let mut random = Random::new();
        let rounds = soak::pick(10, 100);
        for round in 1..=rounds {
            let mut observer = Observer::spawn(binary::command(&arguments));
            let closes = 1 + random.below(MOST_CLOSES);
            for _ in 0..closes {
                abort::fence();
            }
            // The stream is in the midst of them, and so are the sinks.
            for _ in 0..1 + random.below(closes) {
                observer.next_event();
            }
            observer.signal(Signal::KILL);
            assert_eq!(observer.wait(), None, "killed");
            assert_eq!(sqlite(&store, "PRAGMA integrity_check"), "ok");
            assert_little_is_missing(&store, &file, round);
            std::fs::remove_file(&file).unwrap();
        }
        // The next one tells.
        Observer::spawn(binary::command(&arguments)).stop();
        let told = "SELECT count(*) FROM session WHERE ended = 0 AND missing IS NOT NULL";
        // One that was killed before its first transaction was complete has no session.
        let sessions: u64 = sqlite(&store, "SELECT count(*) FROM session").parse().unwrap();
        assert!(sessions > rounds / 2, "{sessions} of {rounds}");
        assert_eq!(sqlite(&store, told).parse::<u64>().unwrap(), sessions - 1);
        println!(
            "{rounds} kills: {} events recorded, {} on their way",
            sqlite(&store, "SELECT count(*) FROM event"),
            sqlite(&store, "SELECT sum(missing) FROM session")
        );
    });
}

/// All that the file has and that is older than a second is in the store.
fn assert_little_is_missing(store: &Path, file: &Path, round: u64) {
    let written: Vec<Event> = tail::whole(file);
    let Some(last) = written.last() else { return };
    let query =
        |what: &str| sqlite(store, &format!("SELECT {what} FROM event WHERE session = (SELECT max(id) FROM session)"));
    let recorded = query("coalesce(max(seq), -1)").parse::<i64>().unwrap();
    let older = written.iter().filter(|event| seconds(last) - seconds(event) > 1.0).map(|event| event.number("seq"));
    let older = older.max().map_or(-1, |seq| i64::try_from(seq).unwrap());
    assert!(recorded >= older, "round {round}: up to {recorded} of {older}");
    let count: i64 = query("count(*)").parse().unwrap();
    assert!(recorded == -1 || count == recorded + 1, "round {round}: {count} up to {recorded}: without a gap");
}

/// Seconds of its time within a day; a test does not take that long.
fn seconds(event: &Event) -> f64 {
    let time = event.text("time");
    let part = |from: usize, to: usize| time[from..to].parse::<f64>().unwrap();
    (part(11, 13) * 60.0 + part(14, 16)) * 60.0 + part(17, 26)
}
