//! What is recorded is what the stream had.

use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::{abort, run};

use super::{look, sqlite};
use crate::suite::{Suite, add};

/// Every type of events.
const TYPES: &str = "close,reset_sent,reset_received,churn,started,reloaded,loss,audit,stopped";

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "record",
        [PrivateNetns, Bpf, Root, Tool("sqlite3")],
        [what_is_recorded_is_what_the_stream_had, a_store_of_somebody_else_is_refused]
    );
}

fn what_is_recorded_is_what_the_stream_had() {
    Netns::run(|namespace| {
        let folder = Folder::new("record");
        let store = folder.path().join("events.db");
        let arguments = ["--record", store.to_str().unwrap(), "--output", "-", "--sandbox", "strict"];
        let mut observer = Observer::within(namespace, &arguments).with_victims();
        for bytes in 1..=20 {
            abort::unread(Family::V4, Side::Client, bytes);
            abort::linger_zero(Family::V6, Side::Server);
        }
        abort::disconnect(Family::V4);
        abort::peer_reset(5);
        abort::listener_with_waiting_connection();
        let fence = abort::fence();
        let events = observer.events_until(|event| event.is_at(&fence));
        // Another program reads it while it is written.
        until("the store to have them", || {
            sqlite(&store, "SELECT count(*) FROM finding").parse::<usize>().unwrap() >= events.len()
        });
        assert_eq!(sqlite(&store, "SELECT count(*) FROM finding WHERE cause = 'disconnect'"), "1");
        let report = observer.stop();
        let mut recorded: Vec<Event> =
            look("query", &store, &["--format", "json", "--type", TYPES]).stdout.lines().map(Event::parse).collect();
        recorded.sort_by_key(|event| event.number("seq"));
        assert_eq!(recorded, report.lines());
        assert_eq!(sqlite(&store, "PRAGMA integrity_check"), "ok");
        assert_eq!(sqlite(&store, "SELECT ended FROM session"), "1");
        let table = look("query", &store, &["--group-by", "cause"]).stdout;
        assert!(table.contains("close_unread") && table.contains("listener_close"), "{table}");
    });
}

fn a_store_of_somebody_else_is_refused() {
    Netns::run(|namespace| {
        let folder = Folder::new("foreign");
        let store = folder.write("events.db", "");
        sqlite_write(&store);
        let path = store.to_str().unwrap();
        run::observer(&["--record", path]).assert_refused(&[path, "a database of another program"]);
        let other = folder.path().join("other.db");
        let other = other.to_str().unwrap();
        let observer = Observer::within(namespace, &["--record", other, "--output", "-"]);
        run::observer(&["--record", other]).assert_refused(&[other, "somebody else records into"]);
        observer.stop();
        run::observer(&["--record", "/nonexistent/events.db"]).assert_refused(&["/nonexistent/events.db"]);
    });
}

fn sqlite_write(path: &std::path::Path) {
    let mut command = std::process::Command::new(conn_observer_tests::feature::tool("sqlite3").unwrap());
    command.arg(path).arg("CREATE TABLE other (x)");
    assert_eq!(run::run(command).code, Some(0));
}
