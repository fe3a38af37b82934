//! `top` on a real terminal: what is on the screen, and that the terminal is given back.

use std::fs;
use std::process::Command;

use conn_observer_tests::abort;
use conn_observer_tests::binary;
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::{
    Feature::{Bpf, Netns as PrivateNetns, Sources, Tool},
    sources,
};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::run;
use conn_observer_tests::tmux::Tmux;
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract",
        [Tool("tmux"), Sources],
        [
            recorded_events_are_gone_through_on_a_terminal,
            a_terminal_is_given_back_to_whoever_ends_it_by_a_signal,
            top_ends_when_its_terminal_goes_away,
        ]
    );
    add!(suite, "contract", [Sources], [top_without_a_terminal_is_refused]);
    add!(
        suite,
        "contract",
        [Tool("tmux"), Tool("pgrep"), PrivateNetns, Bpf],
        [top_alone_observes_and_leaves_nothing_behind]
    );
}

/// Its command line, for a shell.
fn top(arguments: &str) -> String {
    format!("{} top {arguments}", binary::path().display())
}

/// Three hosts on two days, as JSON lines.
fn fleet() -> String {
    sources().join("events/fleet.ndjson").display().to_string()
}

fn recorded_events_are_gone_through_on_a_terminal() {
    let tmux = Tmux::shell(100, 30);
    tmux.enter(&top(&fleet()));
    tmux.wait(&["▸ shop", "▸ healthcheck", "fleet.ndjson", "2026-11-21 14:00:00Z  at the end"]);
    tmux.press(&["Down", "Enter"]);
    tmux.wait(&["▾ "]);
    tmux.press(&["/"]);
    tmux.enter("cause=linger_zero");
    tmux.wait(&["filter: cause=linger_zero", "▸ healthcheck", "1 in all"]);
    assert!(!tmux.screen().contains("shop"), "{}", tmux.screen());
    tmux.press(&["Home"]);
    tmux.wait(&["2026-11-20 10:01:00Z", "before the end", "no findings"]);
    tmux.press(&["?"]);
    tmux.wait(&["FIELD=VALUE as cause=close_unread"]);
    tmux.press(&["x", "End", "q"]);
    tmux.wait_for_shell();
    assert!(!tmux.screen().contains("healthcheck"), "the screen is the one before: {}", tmux.screen());
}

fn a_terminal_is_given_back_to_whoever_ends_it_by_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let tmux = Tmux::shell(80, 24);
        tmux.enter(&top(&fleet()));
        tmux.wait(&["▸ shop"]);
        rustix::process::kill_process(tmux.program(), signal).unwrap();
        tmux.wait_for_shell();
    }
}

fn top_ends_when_its_terminal_goes_away() {
    let tmux = Tmux::shell(80, 24);
    tmux.enter(&top(&fleet()));
    tmux.wait(&["▸ shop"]);
    let program = tmux.program();
    drop(tmux);
    until("top to end", || rustix::process::test_kill_process(program).is_err());
}

fn top_without_a_terminal_is_refused() {
    run::observer_alone(&["top", &fleet()]).assert_refused(&["needs a terminal", "query"]);
}

fn top_alone_observes_and_leaves_nothing_behind() {
    Netns::run(|namespace| {
        let folder = Folder::new("top");
        let tmux = Tmux::shell(100, 30);
        let top = top(&format!("--netns {}", namespace.inode()));
        tmux.enter(&format!("TMPDIR={} {top}", folder.path().display()));
        tmux.wait(&["this host", "live", "NOW/s"]);
        abort::unread(Family::V4, Side::Client, 12_345);
        tmux.wait(&["12.3k bytes unread", "12,345 unread bytes", "▸ "]);
        tmux.press(&["q"]);
        tmux.wait_for_shell();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "temporary files");
        let ours = Command::new("pgrep").arg("-f").arg(format!("record {}", folder.path().display())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ours.stdout), "", "its observer is gone");
    });
}
