//! A file that cannot be written for a while: the other sinks lose nothing, this one says how many it lost, holds whole
//! lines only, and goes on without a restart.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::counters::Counters;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Etc as PrivateMounts, Netns as PrivateNetns, Root};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::mounts::Mounts;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::{run, tail};
use rustix::mount::MountFlags;

use crate::suite::{Suite, add};

/// Size of a disk.
const MEBIBYTE: u64 = 1 << 20;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "faults",
        [PrivateNetns, PrivateMounts, Bpf, Root],
        [
            a_full_disk_costs_no_other_sink_an_event,
            a_folder_that_is_closed_costs_no_other_sink_an_event,
            a_file_system_that_is_read_only_costs_no_other_sink_an_event,
            a_read_only_folder_is_refused_at_the_start,
        ]
    );
}

fn a_full_disk_costs_no_other_sink_an_event() {
    Netns::run(|namespace| {
        let (mounts, folder) = (Mounts::private().unwrap(), Folder::new("full"));
        let _disk = mounts.disk(folder.path(), MEBIBYTE, MountFlags::empty());
        let filler = folder.path().join("filler");
        // Some dozens of events have room beside it.
        fs::write(&filler, vec![b'x'; MEBIBYTE as usize - (64 << 10)]).unwrap();
        let sinks = Sinks::start(namespace, folder.path(), &[]);
        let bad = sinks.bad.clone();
        let mend = || {
            // What does not fit as a whole is taken back at once, whenever it is tried.
            until("the full file to end with a whole line", || fs::read(&bad).unwrap().ends_with(b"\n"));
            fs::remove_file(&filler).unwrap();
        };
        sinks.outlast(namespace, "No space left on device (os error 28); trying again", mend, &[]);
    });
}

/// Not even root may write there without a privilege, and sinks have none. The open file can be written all the same,
/// until somebody moves it away, as logrotate does.
fn a_folder_that_is_closed_costs_no_other_sink_an_event() {
    Netns::run(|namespace| {
        let folder = Folder::new("closed");
        let sinks = Sinks::start(namespace, folder.path(), &[]);
        let open_to = |mode| fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        open_to(0o555);
        let moved = folder.path().join("moved");
        fs::rename(&sinks.bad, &moved).unwrap();
        let words = "check the folder and its permissions: Permission denied (os error 13); trying again";
        sinks.outlast(namespace, words, || open_to(0o755), &[&moved]);
    });
}

/// The kernel makes no file system read-only while a file on it is open for writing, so another one comes to lie over it,
/// as when a volume is replaced. Without the sandbox, whose rules are about the folder that is then hidden.
fn a_file_system_that_is_read_only_costs_no_other_sink_an_event() {
    Netns::run(|namespace| {
        let (mounts, folder) = (Mounts::private().unwrap(), Folder::new("replaced"));
        let sinks = Sinks::start(namespace, folder.path(), &["--sandbox", "off"]);
        let below = File::open(folder.path()).unwrap();
        let hidden = PathBuf::from(format!("/proc/self/fd/{}/events.ndjson", below.as_raw_fd()));
        let disk = mounts.disk(folder.path(), MEBIBYTE, MountFlags::RDONLY);
        let words = "check the folder and its permissions: Read-only file system (os error 30); trying again";
        sinks.outlast(namespace, words, || disk.remount(MountFlags::empty()), &[&hidden]);
    });
}

fn a_read_only_folder_is_refused_at_the_start() {
    Netns::run(|_| {
        let (mounts, folder) = (Mounts::private().unwrap(), Folder::new("read-only"));
        let _disk = mounts.disk(folder.path(), MEBIBYTE, MountFlags::RDONLY);
        let file = folder.path().join("events.ndjson");
        let told = format!("cannot write {}: check the folder and its permissions: Read-only file", file.display());
        run::observer(&["--sink", &format!("file,path={}", file.display())]).assert_refused(&[&told]);
    });
}

/// Two file sinks, one of which will not be able to write.
struct Sinks {
    observer: Observer,
    before: Counters,
    /// The file of the one that always can.
    good: PathBuf,
    /// That of the other one.
    bad: PathBuf,
    _folder: Folder,
}

impl Sinks {
    fn start(namespace: &Netns, place: &Path, more: &[&str]) -> Self {
        let folder = Folder::new("good");
        let (good, bad) = (folder.path().join("events.ndjson"), place.join("events.ndjson"));
        let sinks = [format!("file,path={}", good.display()), format!("file,path={},queue=32KiB", bad.display())];
        let arguments = ["--output", "-", "--sink", &sinks[0], "--sink", &sinks[1]];
        let before = namespace.counters();
        let observer = Observer::within(namespace, &[&arguments, more].concat());
        let mut sinks = Self { observer, before, good, bad, _folder: folder };
        sinks.close(5);
        sinks
    }

    /// Makes closes, and gives the `seq` of the last one's event.
    fn close(&mut self, count: usize) -> u64 {
        let acts: Vec<Act> = (0..count).map(|_| abort::fence()).collect();
        let events = self.observer.events_until(|event| event.is_at(&acts[count - 1]));
        events.last().expect("it").number("seq")
    }

    /// From the fault, which is there, to the end. `words` tell it; `mend` ends it. `others` are files that the faulty
    /// sink wrote before.
    fn outlast(mut self, namespace: &Netns, words: &str, mend: impl FnOnce(), others: &[&Path]) {
        until(words, || {
            self.close(1);
            self.observer.has_said(words)
        });
        // Its queue holds a dozen.
        let last = self.close(100);
        let loss = self.observer.next_of_kind("loss");
        let name = format!("file:{}", self.bad.display());
        assert_eq!((loss.text("where"), loss.text("sink")), ("sink", name.as_str()), "{loss:?}");
        mend();
        until("it to write what is new", || {
            self.close(1);
            tail::newest(&self.bad).is_some_and(|event| event.number("seq") > last)
        });
        self.observer.wait_to_hear(&format!("sink {name} works again; lost so far: "));
        let closes = namespace.counters().since(&self.before).tcp_ext("TCPAbortOnClose");
        let report = self.observer.stop();

        let good = tail::all(&self.good);
        assert!(good == report.lines(), "the other one has them all");
        assert_eq!(report.count("close_unread"), closes, "as many as the kernel has counted");
        let balance = report.stopped().sink(&name);
        let [lost, retries] = ["lost", "retries"].map(|name| balance[name].as_u64().unwrap());
        assert!(lost > 0 && retries > 0, "{balance}");
        let losses = report.of_kind("loss");
        assert_eq!(losses.iter().map(|loss| loss.number("lost")).sum::<u64>(), lost, "{losses:?}");
        let files = others.iter().copied().chain([self.bad.as_path()]);
        let written: Vec<Event> = files.flat_map(tail::all).collect();
        assert_eq!(written.len(), good.len() - lost as usize, "{balance}");
        let mut rest = good.iter();
        assert!(written.iter().all(|event| rest.any(|one| one == event)), "each once, in order");
    }
}
