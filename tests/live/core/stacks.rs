//! Stacks of the process and of the kernel.

use conn_observer_tests::abort;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::{Event, kernel_at_least};
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::stacks",
        [PrivateNetns, Bpf],
        [
            the_stacks_that_are_asked_for_are_told,
            the_kernels_stack_shows_how_a_reset_came_about,
            the_function_that_calls_close_is_told,
        ]
    );
    add!(suite, "core::once::stacks", [PrivateNetns, Bpf], [nobody_waits_for_symbols_beyond_the_budget,]);
}

fn frames<'a>(event: &'a Event, whose: &str) -> Vec<&'a str> {
    let frames = event.at("stack").get(whose).and_then(|frames| frames.as_array());
    frames.map_or(Vec::new(), |frames| frames.iter().map(|frame| frame["symbol"].as_str().unwrap_or("?")).collect())
}

fn the_stacks_that_are_asked_for_are_told() {
    Netns::run(|namespace| {
        for (which, user, kernel) in
            [("user", true, false), ("kernel", false, true), ("both", true, true), ("none", false, false)]
        {
            let mut observer = Observer::within(namespace, &["--stack", which]);
            let event = observer.expect("close_unread", &abort::fence());
            assert_eq!((!frames(&event, "user").is_empty(), !frames(&event, "kernel").is_empty()), (user, kernel));
            assert_eq!(event.at("stack").is_null(), !user && !kernel, "{event:?}");
        }
    });
}

fn the_kernels_stack_shows_how_a_reset_came_about() {
    Netns::run(|namespace| {
        // Guests are slow: the names of the kernel's functions may not be there within the usual time.
        let patient = ["--stack", "kernel", "--stack-depth", "64", "--symbol-budget", "10s"];
        let mut observer = Observer::within(namespace, &patient);
        for (cause, act) in [
            ("close_unread", abort::unread(Family::V4, Side::Client, 7)),
            ("linger_zero", abort::linger_zero(Family::V4, Side::Client)),
        ] {
            let event = observer.expect(cause, &act);
            let stack = frames(&event, "kernel");
            // The hooks themselves are not part of it, wherever they sit.
            assert!(["tcp_", "__tcp_"].iter().any(|start| stack[0].starts_with(start)), "{stack:?}");
            for function in ["inet_release", "__fput"] {
                let suffixes = |name: &&&str| **name == function || name.starts_with(&format!("{function}."));
                assert!(stack.iter().any(|name| suffixes(&name)), "no {function} in {stack:?}");
            }
        }
    });
}

/// `close()` has no frame of its own: what the frame pointer leads to is its caller's caller.
fn the_function_that_calls_close_is_told() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--symbol-budget", "2s"]);
        // Who closes first may have to wait for its symbols longer than anybody is waited for.
        observer.expect("close_unread", &abort::fence());
        let event = observer.expect("close_unread", &abort::fence());
        let stack = frames(&event, "user");
        // In glibc since 2.41 it calls others in turn.
        let close = stack.iter().position(|symbol| *symbol == "close").unwrap_or_else(|| panic!("{event:?}"));
        // The stack is not read under lockdown=confidentiality.
        if cfg!(target_arch = "x86_64") && kernel_at_least(5, 15) && !observer.declares_limit("command_args") {
            // Which one it is depends on what was inlined.
            let closes =
                |symbol: &str| symbol.contains("abort::") || symbol.contains("OwnedFd as core::ops::drop::Drop");
            assert!(closes(stack[close + 1]), "{event:?}");
        }
    });
}

fn nobody_waits_for_symbols_beyond_the_budget() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--symbol-budget", "0"]);
        let mut next = || observer.expect("close_unread", &abort::fence());
        let first = next();
        assert!(frames(&first, "user").iter().all(|symbol| *symbol == "?"), "{first:?}");
        // Meanwhile they are looked up: this program is not small.
        let mut more = 1;
        until("a stack with symbols", || {
            more += 1;
            frames(&next(), "user").iter().any(|symbol| *symbol != "?")
        });
        let report = observer.stop();
        let count = |what: &str| report.stopped().number(&format!("symbols.{what}"));
        assert_eq!(count("hits") + count("misses"), more);
        assert!(count("late") >= 1 && count("late") + count("shed") <= count("misses"), "{:?}", report.stopped());
    });
}
