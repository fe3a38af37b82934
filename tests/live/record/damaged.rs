//! A store that is damaged: set aside as it is, told, and a new one begun; the stream loses nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use conn_observer_tests::abort;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;

use super::sqlite;
use crate::suite::{Suite, add};

/// Bytes of a page of the file.
const PAGE: usize = 4_096;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "record",
        [PrivateNetns, Bpf, Root, Tool("sqlite3")],
        [
            a_store_that_is_no_database_any_more_is_set_aside_at_the_start,
            a_store_whose_pages_are_damaged_is_set_aside_when_it_shows,
        ]
    );
}

fn a_store_that_is_no_database_any_more_is_set_aside_at_the_start() {
    a_store_is_set_aside(0);
}

/// The first page has the schema, and seems right.
fn a_store_whose_pages_are_damaged_is_set_aside_when_it_shows() {
    a_store_is_set_aside(PAGE);
}

/// From that byte on it is overwritten between two runs.
fn a_store_is_set_aside(from: usize) {
    Netns::run(|namespace| {
        let folder = Folder::new("record-damaged");
        let store = folder.path().join("events.db");
        let arguments = ["--record", store.to_str().unwrap(), "--output", "-", "--sandbox", "strict"];
        let observer = Observer::within(namespace, &arguments);
        for _ in 0..20 {
            abort::fence();
        }
        observer.stop();
        overwrite(&store, from);
        let damaged = fs::read(&store).unwrap();

        let before = namespace.counters();
        let mut observer = Observer::within(namespace, &arguments);
        for _ in 0..20 {
            abort::fence();
        }
        let fence = abort::fence();
        observer.events_until(|event| event.is_at(&fence));
        observer.wait_to_hear(&format!("{} is damaged (", store.display()));
        observer.wait_to_hear("recording goes on in a new file");
        let acts = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let report = observer.stop();

        assert_eq!(report.count("close_unread"), acts, "the stream has them all");
        let aside = aside(folder.path());
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(fs::read(&aside[0]).unwrap()[from..] == damaged[from..], "as it was found");
        assert_eq!(sqlite(&store, "PRAGMA integrity_check"), "ok");
        assert_eq!(sqlite(&store, "SELECT count(*) FROM event"), report.lines().len().to_string(), "from the first on");
        assert_eq!(report.stopped().sink("record:")["lost"], 0);
    });
}

fn overwrite(path: &Path, from: usize) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    assert!(length > 4 * PAGE, "it has events: {length} bytes");
    file.write_all_at(&vec![0x5a; length - from], from as u64).unwrap();
}

/// Files that were set aside, without what belongs to them.
fn aside(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let whole = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    paths.filter(whole).collect()
}
