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
    add!(suite, "contract", [Bpf, Tool("sh"), Tool("false")], [shell_commands_pass_their_status_on,]);
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
        let outcome = run::observe(&[], &script("say hello then unread 100"));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "hello\n"));
        assert_eq!(outcome.lines().len(), 3, "events and nothing else: {outcome:?}");
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
