//! A store on a disk that is full for a while: the stream loses nothing, the store says how many it lost, stays whole, and
//! goes on without a restart.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use conn_observer_tests::abort;
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Etc as PrivateMounts, Netns as PrivateNetns, Root, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::mounts::Mounts;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use rustix::mount::MountFlags;

use super::sqlite;
use crate::suite::{Suite, add};

/// Size of the disk: less than the log beside the store may grow to.
const DISK: u64 = 8 << 20;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "record",
        [PrivateNetns, PrivateMounts, Bpf, Root, Tool("sqlite3")],
        [a_full_disk_costs_the_store_alone_what_it_says]
    );
}

fn a_full_disk_costs_the_store_alone_what_it_says() {
    Netns::run(|namespace| {
        let (mounts, folder) = (Mounts::private().unwrap(), Folder::new("record-full"));
        let _disk = mounts.disk(folder.path(), DISK, MountFlags::empty());
        let store = folder.path().join("events.db");
        let sink = format!("record,path={},queue=32KiB", store.display());
        let before = namespace.counters();
        let mut observer = Observer::within(namespace, &["--output", "-", "--sink", &sink]);
        let latest = || sqlite(&store, "SELECT coalesce(max(seq), -1) FROM event").parse::<i64>().unwrap();
        let first = closes(&mut observer, 5);
        until("the store to have them", || latest() >= first);

        let filler = fill(folder.path());
        let words = "database or disk is full; trying again";
        until(words, || {
            closes(&mut observer, 1);
            observer.has_said(words)
        });
        // Its queue holds a dozen.
        let last = closes(&mut observer, 100);
        let name = format!("record:{}", store.display());
        let loss = observer.next_of_kind("loss");
        assert_eq!((loss.text("where"), loss.text("sink")), ("sink", name.as_str()), "{loss:?}");
        assert!(latest() < last, "nothing of it was written");
        assert_eq!(sqlite(&store, "PRAGMA integrity_check"), "ok");
        fs::remove_file(filler).unwrap();
        until("it to write what is new", || {
            closes(&mut observer, 1);
            latest() > last
        });
        observer.wait_to_hear(&format!("sink {name} works again; lost so far: "));
        let acts = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let report = observer.stop();

        assert_eq!(report.count("close_unread"), acts, "as many as the kernel has counted");
        let balance = report.stopped().sink(&name);
        let [lost, retries] = ["lost", "retries"].map(|name| balance[name].as_u64().unwrap());
        assert!(lost > 0 && retries > 0, "{balance}");
        let told: u64 = report.of_kind("loss").iter().map(|loss| loss.number("lost")).sum();
        assert_eq!(told, lost, "{balance}");
        assert_eq!(sqlite(&store, "PRAGMA integrity_check"), "ok");
        let written = sqlite(&store, "SELECT count(DISTINCT seq) FROM event");
        assert_eq!(sqlite(&store, "SELECT count(*) FROM event"), written, "each once");
        assert_eq!(written.parse::<u64>().unwrap(), report.lines().len() as u64 - lost, "{balance}");
        assert_eq!(sqlite(&store, "SELECT count(*), sum(ended) FROM session"), "1|1");
    });
}

/// Makes closes, and gives the `seq` of the last one's event.
fn closes(observer: &mut Observer, count: usize) -> i64 {
    let acts: Vec<_> = (0..count).map(|_| abort::fence()).collect();
    let events = observer.events_until(|event| event.is_at(&acts[count - 1]));
    events.last().expect("it").number("seq").cast_signed()
}

/// A file that takes all the room that is left there.
fn fill(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("filler");
    let mut file = File::create(&path).unwrap();
    let page = [b'x'; 4_096];
    for _ in 0..=DISK / 4_096 {
        if file.write_all(&page).is_err() {
            return path;
        }
    }
    panic!("{} has more room than it was given", folder.display());
}
