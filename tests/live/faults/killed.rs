//! SIGKILL at random moments, under load: whatever it was doing, the next observer begins within a second, on files of
//! whole lines, and nothing stays in the kernel.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::loaded::Loaded;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::random::Random;
use conn_observer_tests::{abort, binary, soak, status, tail};
use rustix::process::Signal;

use crate::suite::{Suite, add};

/// From the start to the first line. In every run, where the tests beside this one and others keep the machine busy, it is
/// processor time that is compared with it; by hand, on a quiet machine, time.
const START: Duration = Duration::from_secs(1);

/// Most closes before it is killed: a second of them, about.
const MOST_CLOSES: u64 = 3_000;

/// Longest piece of a line that is left of the last one by hand: a kill seldom tears one.
const MOST_BYTES: u64 = 1_000;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "faults",
        [PrivateNetns, Bpf],
        [an_observer_that_was_killed_leaves_whole_lines_and_nothing_in_the_kernel]
    );
}

fn an_observer_that_was_killed_leaves_whole_lines_and_nothing_in_the_kernel() {
    Netns::run(|namespace| {
        let folder = Folder::new("killed");
        let file = folder.path().join("events.ndjson");
        let inode = namespace.inode().to_string();
        let sink = format!("file,path={},max-size=512KiB,keep=4", file.display());
        let arguments = ["--netns", &inode, "--output", "-", "--sink", &sink];
        let (mut random, mut starts, mut torn) = (Random::new(), Vec::new(), 0);
        for round in 0..soak::pick(20, 200) {
            if round % 4 == 3 {
                kill_early(&arguments, &mut random);
            }
            if round % 2 == 1 {
                tear(&file, &mut random);
            }
            let is_torn = !is_whole(&file);
            let begun = Instant::now();
            let observer = Observer::spawn(binary::command(&arguments));
            starts.push((begun.elapsed(), status::processor_time(observer.pid())));
            if is_torn {
                observer.wait_to_hear("cut an unfinished line of ");
                torn += 1;
            }
            kill_late(observer, &mut random);
            assert_whole_lines(folder.path(), &file);
        }
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times[times.len() / 2]
        };
        let (times, work): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
        let longest = *times.iter().max().unwrap();
        let (count, time, work) = (times.len(), median(times), median(work));
        println!("{count} starts: {time:?}, at most {longest:?}, of work {work:?}; {torn} torn lines");
        assert!(soak::pick(work, time) < START, "{time:?}, of work {work:?}");
        assert!(torn > 0);
        Observer::spawn(binary::command(&arguments)).stop();
        assert_whole_lines(folder.path(), &file);
        assert!(is_whole(&file));
        assert_eq!(tail::newest(&file).expect("an event").kind(), "stopped");
    });
}

/// Kills one that may not have attached yet.
fn kill_early(arguments: &[&str], random: &mut Random) {
    let mut command = binary::command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    load(random.below(MOST_CLOSES / 2));
    let held = Loaded::by_process(child.id());
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "killed");
    assert_gone(&held);
}

fn kill_late(mut observer: Observer, random: &mut Random) {
    load(random.below(MOST_CLOSES));
    let held = Loaded::by_process(observer.pid());
    assert!(!held.programs.is_empty() && !held.maps.is_empty(), "{held:?}");
    observer.signal(Signal::KILL);
    assert_eq!(observer.wait(), None, "killed");
    assert_gone(&held);
}

fn load(closes: u64) {
    for _ in 0..closes {
        abort::fence();
    }
}

fn assert_gone(held: &Loaded) {
    until("programs and maps to go", || !held.overlaps(&Loaded::in_kernel()));
}

/// Takes away a piece of the end.
fn tear(file: &Path, random: &mut Random) {
    // There is none when it was killed amid a rotation.
    let Ok(file) = File::options().write(true).open(file) else { return };
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(1 + random.below(MOST_BYTES))).unwrap();
}

/// Whether a file, if there is one, ends with a whole line.
fn is_whole(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default();
    text.is_empty() || text.ends_with(b"\n")
}

/// All files consist of whole lines, but for the end of the last one; those of each observer are there without a gap.
fn assert_whole_lines(folder: &Path, file: &Path) {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut rotated: Vec<PathBuf> = entries.filter(|path| path != file).collect();
    // Their names tell their age.
    rotated.sort();
    let mut before = None;
    for event in rotated.iter().flat_map(|path| tail::all(path)).chain(tail::whole(file)) {
        let seq = event.number("seq");
        assert!(seq == 0 || before.is_none_or(|before| seq == before + 1), "{seq} behind {before:?}");
        assert_eq!(seq == 0, event.kind() == "started", "{event:?}");
        before = Some(seq);
    }
}
