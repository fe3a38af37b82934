//! An incident with three culprits, each in a network namespace of its own, found afterwards in what was recorded: a Go
//! client that leaves bodies unread, an nginx that answers early, a listener that is restarted under load.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use conn_observer_tests::abort;
use conn_observer_tests::deadline::DEADLINE;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root, Sources, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::run;
use serde_json::Value;

use super::{look, rows};
use crate::peers::{go, nginx};
use crate::suite::{Suite, add};

/// What each does.
const REQUESTS: u64 = 100;
const REFUSALS: u64 = 20;
const WAITING: u64 = 15;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "record",
        [PrivateNetns, Bpf, Root, Sources, Tool("go"), Tool("nginx")],
        [an_incident_is_found_in_what_was_recorded]
    );
}

/// A service in a namespace of its own, that waits to be let loose.
struct Service {
    inode: u64,
    begin: Sender<()>,
    /// What the kernel counted, or who acted knows: bad closes.
    end: Receiver<u64>,
}

impl Service {
    fn start(act: impl FnOnce(&Netns) -> u64 + Send + 'static) -> Self {
        let (inode, told) = channel();
        let (begin, begun) = channel();
        let (ended, end) = channel();
        thread::spawn(move || {
            Netns::run(move |namespace| {
                inode.send(namespace.inode()).unwrap();
                begun.recv().unwrap();
                ended.send(act(namespace)).unwrap();
            });
        });
        Self { inode: told.recv_timeout(DEADLINE).unwrap(), begin, end }
    }

    fn act(&self) -> u64 {
        self.begin.send(()).unwrap();
        self.end.recv().unwrap()
    }
}

fn an_incident_is_found_in_what_was_recorded() {
    let folder = Folder::new("incident");
    let store = folder.path().join("events.db");
    let services = [
        Service::start(|namespace| go::leave_bodies(namespace, 8_000, REQUESTS)),
        Service::start(|namespace| {
            let before = namespace.counters();
            nginx::refuse_bodies(REFUSALS);
            namespace.counters().since(&before).tcp_ext("TCPAbortOnClose")
        }),
        // No counter of the kernel knows these.
        Service::start(|_| {
            (0..2).map(|_| abort::listener_with(usize::try_from(WAITING).unwrap()).0.len() as u64).sum()
        }),
    ];
    let inodes = services.each_ref().map(|service| service.inode.to_string());
    let filters: Vec<&str> = inodes.iter().flat_map(|inode| ["--netns", inode]).collect();
    let observer = Observer::start(&[&filters[..], &["--record", store.to_str().unwrap(), "--output", "-"]].concat());
    let truth = services.each_ref().map(Service::act);
    assert_eq!((truth[1], truth[2]), (REFUSALS, 2 * WAITING));
    observer.stop();

    let found = groups(&store);
    let own = fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_owned();
    assert_eq!(found.get(&("requests".to_owned(), "close_unread".to_owned())), Some(&truth[0]), "{found:?}");
    assert_eq!(found.get(&("nginx".to_owned(), "close_unread".to_owned())), Some(&truth[1]), "{found:?}");
    assert_eq!(found.get(&(own, "listener_close".to_owned())), Some(&truth[2]), "{found:?}");
    in_words(&folder, &store);
}

/// Counts by process and cause, over all peers.
fn groups(store: &Path) -> BTreeMap<(String, String), u64> {
    let mut found = BTreeMap::new();
    for row in rows(store, &["--group-by", "process,cause,peer", "--type", "close,reset_sent"]) {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        // Loopback has more than one name.
        assert_ne!(text("peer"), "", "{row}");
        *found.entry((text("process"), text("cause"))).or_default() += row["events"].as_u64().unwrap();
    }
    found
}

/// The page names them, and the story of one says what to do.
fn in_words(folder: &Folder, store: &Path) {
    let page = folder.path().join("incident.html");
    look("report", store, &["-o", page.to_str().unwrap()]);
    let page = fs::read_to_string(page).unwrap();
    for word in ["requests", "nginx", "close_unread", "listener_close"] {
        assert!(page.contains(word), "{word}");
    }
    // The goroutine that writes may close the connection in place of the one that reads; it knows of no body.
    let unread = rows(store, &["--comm", "requests", "--cause", "close_unread"]);
    let knows = |row: &&Value| row["hint"]["advice"].as_str().is_some_and(|advice| advice.contains("resp.Body"));
    let one = unread.iter().find(knows).expect("a close by the goroutine that reads");
    let story = run::observer_alone(&["explain", &one["seq"].to_string(), "--store", store.to_str().unwrap()]);
    assert_eq!(story.code, Some(0), "{story:?}");
    for word in ["requests", "unread", "RST", "resp.Body"] {
        assert!(story.stdout.contains(word), "{word}: {}", story.stdout);
    }
}
