//! Python and Node: small programs that close one connection each without reading it.

use std::path::PathBuf;
use std::process::Command;

use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::{sources, tool};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::peer;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "peers", [PrivateNetns, Bpf, Tool("python3"), Sources], [pythons_unread_bytes_are_counted_exactly,]);
    add!(suite, "peers", [PrivateNetns, Bpf, Tool("node"), Sources], [nodes_unread_bytes_are_counted_exactly,]);
    add!(
        suite,
        "peers",
        [PrivateNetns, Tool("python3"), Tool("node"), Sources],
        [scripts_leave_what_they_are_told_to,]
    );
}

pub(super) fn program(interpreter: &str, source: &str) -> Command {
    let mut command = Command::new(tool(interpreter).unwrap_or_else(|| PathBuf::from(interpreter)));
    command.arg(sources().join(source));
    command
}

fn python() -> Command {
    program("python3", "python/close_unread.py")
}

fn node() -> Command {
    program("node", "node/close_unread.js")
}

fn pythons_unread_bytes_are_counted_exactly() {
    assert_counted_exactly(python, "python3");
}

fn nodes_unread_bytes_are_counted_exactly() {
    assert_counted_exactly(node, "node");
}

fn assert_counted_exactly(program: fn() -> Command, comm: &str) {
    Netns::run(|namespace| {
        namespace.wide_windows();
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            for side in Side::ALL {
                for bytes in [1, 100, 65_536, 1 << 20] {
                    let act = peer::close_unread(program(), family, side, bytes);
                    let event = observer.expect("close_unread", &act);
                    assert_eq!(event.text("process.comm"), comm, "{event:?}");
                    assert_eq!(event.text("network.role"), side.role(), "{event:?}");
                }
            }
        }
        assert_eq!(observer.events_before_fence(), [], "each once");
    });
}

/// The scripts themselves, by the kernel's counter.
fn scripts_leave_what_they_are_told_to() {
    Netns::run(|namespace| {
        namespace.wide_windows();
        for program in [python, node] {
            for family in Family::ALL {
                for side in Side::ALL {
                    let before = namespace.counters();
                    peer::close_unread(program(), family, side, 1 << 20);
                    assert_eq!(namespace.counters().since(&before).tcp_ext("TCPAbortOnClose"), 1);
                }
            }
        }
    });
}
