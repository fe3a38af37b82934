//! `conn-observer … -- COMMAND`: that process tree, from its first instruction to its end, and its exit status.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use conn_observer_tests::abort;
use conn_observer_tests::actor::{COMM, script};
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tool};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::run;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf],
        [
            the_commands_exit_status_is_passed_on,
            the_commands_stdout_goes_to_stderr,
            a_command_is_seen_from_its_first_act_and_nobody_else_is,
            children_of_the_command_are_seen,
            fail_on_turns_a_finding_into_status_1,
        ]
    );
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf, Tool("sh"), Tool("false")],
        [
            shell_commands_pass_their_status_on,
            a_command_does_not_outlive_an_observer_that_cannot_start,
            an_early_end_still_waits_for_the_commands_status,
        ]
    );
}

fn the_commands_exit_status_is_passed_on() {
    Netns::run(|_| {
        for status in [0, 1, 7, 255] {
            let outcome = run::observe(&[], &script(&format!("unread 100 then exit {status}")));
            assert_eq!(outcome.code, Some(status), "{outcome:?}");
            assert_eq!(outcome.count("close_unread"), 1, "{outcome:?}");
            let last = outcome.lines().pop().expect("a last line");
            assert_eq!((last.kind(), last.text("reason")), ("stopped", "command"), "{last:?}");
        }
    });
}

/// The command ends when it reads that the observer has: nothing else can end it.
fn an_early_end_still_waits_for_the_commands_status() {
    Netns::run(|_| {
        let path = std::env::temp_dir().join(format!("events-{}", std::process::id()));
        let file = path.to_str().expect("UTF-8");
        let wait = format!("\"$@\"; until grep -q '\"stopped\"' {file}; do :; done; exit 7");
        let command = [["sh", "-c", &wait, "sh"].map(str::to_owned).to_vec(), script("unread 100")].concat();
        let outcome = run::observe(&["--count", "1", "--output", file], &command);
        let text = std::fs::read_to_string(&path).expect("the events");
        std::fs::remove_file(&path).expect("to remove it");
        assert_eq!(outcome.code, Some(7), "{outcome:?}");
        assert!(text.lines().last().expect("a last line").contains(r#""reason":"count""#), "{text}");
    });
}

/// The command waits at a gate; whoever cannot open it must not leave it waiting. The harness reads the outputs to
/// their end, which would not come while a forked copy held them.
fn a_command_does_not_outlive_an_observer_that_cannot_start() {
    let refused =
        run::observer_alone(&["--netns", "1", "--ring-size", "4096", "--hooks", "kprobe", "--", "sh", "-c", ":"]);
    let gone = run::observer_alone(&["--pid", "4194304", "--", "false"]);
    for outcome in [refused, gone] {
        assert!(matches!(outcome.code, Some(0 | 2)), "{outcome:?}");
    }
}

fn shell_commands_pass_their_status_on() {
    for (command, status) in [
        (vec!["false"], 1),
        (vec!["sh", "-c", "exit 7"], 7),
        (vec!["sh", "-c", "kill -TERM $$"], 128 + libc::SIGTERM),
        (vec!["sh", "-c", "kill -KILL $$"], 128 + libc::SIGKILL),
    ] {
        let command: Vec<String> = command.into_iter().map(str::to_owned).collect();
        let outcome = run::observe(&[], &command);
        assert_eq!(outcome.code, Some(status), "{command:?}: {outcome:?}");
        assert_eq!(outcome.stderr, "", "{command:?}");
    }
}

fn the_commands_stdout_goes_to_stderr() {
    Netns::run(|_| {
        let outcome = run::observe(&["--audit", "0"], &script("say hello then unread 100"));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "hello\n"));
        assert_eq!(outcome.lines().len(), 4, "events and nothing else: {outcome:?}");
    });
}

fn a_command_is_seen_from_its_first_act_and_nobody_else_is() {
    Netns::run(|_| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            // Forbidden acts before, while and after the command acts.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    abort::fence();
                }
            });
            let outcome = run::observe(&[], &script("unread 1 then unread 2 then orderly then unread 3"));
            done.store(true, Ordering::Relaxed);
            let unread: Vec<u64> = outcome.events().iter().map(|event| event.number("tcp.unread_bytes")).collect();
            assert_eq!(unread, [1, 2, 3], "{outcome:?}");
            assert!(outcome.events().iter().all(|event| event.text("process.comm") == COMM), "{outcome:?}");
        });
    });
}

fn children_of_the_command_are_seen() {
    Netns::run(|_| {
        let outcome = run::observe(&[], &script("child-unread 100 then fork-unread 100 then unread 100"));
        assert_eq!(outcome.count("close_unread"), 3, "{outcome:?}");
    });
}

fn fail_on_turns_a_finding_into_status_1() {
    Netns::run(|_| {
        let status = |causes: &str, acts: &str| run::observe(&["--fail-on", causes], &script(acts)).code;
        assert_eq!(status("close_unread", "unread 100"), Some(1));
        assert_eq!(status("close_unread", "unread 100 then exit 7"), Some(1));
        assert_eq!(status("linger_zero,close_unread", "linger-zero"), Some(1));
        assert_eq!(status("close_unread", "linger-zero then orderly"), Some(0));
        assert_eq!(status("close_unread", "orderly then exit 7"), Some(7));
    });
}
