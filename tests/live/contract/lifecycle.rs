//! How the observer ends, and what it leaves behind: nothing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::binary;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tool};
use conn_observer_tests::loaded::Loaded;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::run;
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf],
        [
            a_signal_drains_and_ends_with_status_0,
            it_ends_after_the_counted_events,
            it_ends_after_its_duration,
            a_closed_pipe_ends_it_quietly,
            observers_side_by_side_see_the_same,
            nothing_stays_loaded_after_sigkill,
            nothing_stays_loaded_after_an_orderly_end,
        ]
    );
    add!(suite, "contract", [PrivateNetns, Bpf, Tool("sh"), Tool("head")], [the_readmes_head_ends_it_quietly,]);
}

fn a_signal_drains_and_ends_with_status_0() {
    for signal in [Signal::INT, Signal::TERM] {
        Netns::run(|namespace| {
            // Long enough that only draining can bring the events out in time for the comparison.
            let observer = Observer::within(namespace, &["--latency", "1000"]);
            let acts: Vec<Act> = (1..=50).map(|bytes| abort::unread(Family::V4, Side::Client, bytes)).collect();
            observer.signal(signal);
            let report = observer.finish();
            assert_eq!(report.stopped().text("reason"), "signal");
            assert_eq!(report.events().count(), acts.len());
            for (event, act) in report.events().zip(&acts) {
                event.assert_is("close_unread", act);
            }
        });
    }
}

fn it_ends_after_the_counted_events() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--count", "3", "--cause", "close_unread"]);
        for _ in 0..5 {
            abort::fence();
        }
        let report = observer.finish();
        assert_eq!(report.stopped().text("reason"), "count");
        assert_eq!(report.events().count(), 3);
    });
}

fn it_ends_after_its_duration() {
    Netns::run(|namespace| {
        let report = Observer::within(namespace, &["--duration", "50ms"]).finish();
        assert_eq!(report.stopped().text("reason"), "duration");
    });
}

fn a_closed_pipe_ends_it_quietly() {
    let mut child = binary::command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    // The reader and with it the pipe is gone at the end of this statement. No traffic wakes the observer up then.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(Event::parse(&first).kind(), "started");
    until("the observer to notice the closed pipe", || child.try_wait().unwrap().is_some());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

fn the_readmes_head_ends_it_quietly() {
    let mut shell = std::process::Command::new("sh");
    let script = r#"{ "$OBSERVER" --pid $$; echo "exit $?" >&2; } | head -1"#;
    shell.args(["-c", script]).env("OBSERVER", binary::path());
    let outcome = run::run(shell);
    assert_eq!(outcome.lines().len(), 1, "{outcome:?}");
    assert_eq!(outcome.stderr, "exit 0\n");
}

fn observers_side_by_side_see_the_same() {
    Netns::run(|namespace| {
        let mut observers = [Observer::within(namespace, &[]), Observer::within(namespace, &[])];
        let mut acts: Vec<Act> = (1..=20).map(|bytes| abort::unread(Family::V4, Side::Server, bytes)).collect();
        acts.push(abort::fence());
        for observer in &mut observers {
            for act in &acts {
                observer.expect("close_unread", act);
            }
        }
        let [first, second] = observers;
        first.stop();
        let alone = abort::fence();
        let mut second = second;
        second.expect("close_unread", &alone);
    });
}

fn nothing_stays_loaded_after_sigkill() {
    Netns::run(|namespace| {
        for arguments in [&[][..], &["--dns"]] {
            let mut observer = Observer::within(namespace, arguments);
            let held = what_it_holds(&observer);
            observer.signal(Signal::KILL);
            assert_eq!(observer.wait(), None, "killed");
            assert_gone(&held);
        }
    });
}

fn nothing_stays_loaded_after_an_orderly_end() {
    Netns::run(|namespace| {
        for arguments in [&[][..], &["--dns"]] {
            let observer = Observer::within(namespace, arguments);
            let held = what_it_holds(&observer);
            observer.stop();
            assert_gone(&held);
        }
    });
}

fn what_it_holds(observer: &Observer) -> Loaded {
    let held = Loaded::by_process(observer.pid());
    assert!(!held.programs.is_empty() && !held.maps.is_empty(), "{held:?}");
    assert!(held.overlaps(&Loaded::in_kernel()), "ids are comparable");
    held
}

/// The kernel frees programs and maps after an RCU grace period.
fn assert_gone(held: &Loaded) {
    until("programs and maps to go", || !held.overlaps(&Loaded::in_kernel()));
}
