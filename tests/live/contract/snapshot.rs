//! `snapshot`: what it says is unread is what the kernel holds, and what the observer tells when it is closed.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::binary::PublicCopy;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::orderly;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::run;
use conn_observer_tests::sock::{self, State};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "contract", [PrivateNetns, Bpf], [a_snapshot_foretells_the_close_to_the_byte]);
    add!(
        suite,
        "contract",
        [PrivateNetns],
        [
            connections_that_nobody_accepts_are_foretold_at_their_listener,
            a_socket_of_another_namespace_is_seen_from_outside,
            a_watched_snapshot_is_told_again,
            a_snapshot_of_no_namespace_is_refused,
        ]
    );
    add!(suite, "contract", [Root], [whoever_may_not_look_everywhere_is_told_so]);
}

/// The lines of a snapshot, by the local port.
fn snapshot(arguments: &[&str]) -> BTreeMap<u64, Event> {
    let outcome = run::observer_alone(&[&["snapshot", "--format", "json"], arguments].concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let lines = outcome.stdout.lines().map(|line| Event::parse_as("conn-observer-snapshot/1", line));
    lines.map(|line| (line.number("network.local.port"), line)).collect()
}

fn within(namespace: &Netns, arguments: &[&str]) -> BTreeMap<u64, Event> {
    snapshot(&[&["--netns", &namespace.inode().to_string()], arguments].concat())
}

fn port(stream: &TcpStream) -> u64 {
    stream.local_addr().unwrap().port().into()
}

fn a_snapshot_foretells_the_close_to_the_byte() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let (small, _small_peer) = abort::with_unread(Family::V4, Side::Client, 1);
        let (large, _large_peer) = abort::with_unread(Family::V6, Side::Server, 1 << 20);
        let (ended, peer) = abort::with_unread(Family::V4Mapped, Side::Client, 100);
        drop(peer);
        sock::wait_state(&ended, State::CloseWait);
        let _clean = Pair::connect(Family::V4);
        let (finished, read_peer) = Pair::connect(Family::V4).split(Side::Client);
        drop(read_peer);
        sock::wait_state(&finished, State::CloseWait);

        let found = within(namespace, &[]);
        let expected = [(&small, 1), (&large, 1 << 20), (&ended, 100)];
        assert_eq!(found.len(), expected.len(), "these, and neither a clean one nor one with a FIN alone: {found:?}");
        for (stream, bytes) in expected {
            let line = &found[&port(stream)];
            assert_eq!(line.number("tcp.unread_bytes"), bytes, "{line:?}");
            assert_eq!(line.number("process.pid"), u64::from(std::process::id()), "{line:?}");
            assert_eq!(line.number("process.fd"), u64::try_from(std::os::fd::AsRawFd::as_raw_fd(stream)).unwrap());
            assert_eq!(line.number("resets_if_closed"), 1, "{line:?}");
            assert_eq!(line.number("network.namespace"), namespace.inode(), "{line:?}");
            let peer = stream.peer_addr().unwrap();
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            assert_eq!(line.text("network.peer.address"), peer.ip().to_string(), "{line:?}");
            assert_eq!(line.number("network.peer.port"), u64::from(peer.port()), "{line:?}");
            assert!(line.number("tcp.last_received_ms") < 60_000, "{line:?}");
        }
        assert_eq!(found[&port(&ended)].at("tcp.fin_received"), true);
        assert_eq!(found[&port(&ended)].text("tcp.state"), "CLOSE_WAIT");
        assert_eq!(found[&port(&large)].number("counterpart.pid"), u64::from(std::process::id()));
        let only = within(namespace, &["--min-unread", "100", "--port", &port(&ended).to_string()]);
        assert_eq!(only.keys().collect::<Vec<_>>(), [&port(&ended)]);

        let foretold = found[&port(&ended)].clone();
        let act = Act::of(&ended, 100);
        drop(ended);
        let event = observer.expect("close_unread", &act);
        for name in ["tcp.unread_bytes", "tcp.fin_received", "tcp.state", "network.local", "process.pid", "severity"] {
            assert_eq!(event.at(name), foretold.at(name), "{name}: {event:?}");
        }
        assert_eq!(event.at("tcp.reset_sent"), true, "{event:?}");
        assert_eq!(within(namespace, &[]).len(), 2, "the one that was closed is gone");
    });
}

fn connections_that_nobody_accepts_are_foretold_at_their_listener() {
    Netns::run(|namespace| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
        std::io::Write::write_all(&mut waiting[0], &[0; 30]).unwrap();
        sock::wait_acknowledged(&waiting[0]);
        let found = within(namespace, &[]);
        let line = &found[&u64::from(address.port())];
        assert_eq!(found.len(), 1, "the listener alone: {found:?}");
        assert_eq!(line.number("listener.unaccepted"), 2, "{line:?}");
        assert_eq!(line.number("resets_if_closed"), 2, "{line:?}");
        assert_eq!(line.number("tcp.unread_bytes"), 30, "{line:?}");
        assert_eq!(line.number("process.pid"), u64::from(std::process::id()), "{line:?}");
    });
}

fn a_socket_of_another_namespace_is_seen_from_outside() {
    Netns::run(|namespace| {
        let (stream, _peer) = abort::with_unread(Family::V4, Side::Client, 9);
        let (inode, pid) = (namespace.inode().to_string(), std::process::id().to_string());
        // A program inherits the namespace of the thread that starts it.
        let elsewhere = thread::scope(|scope| {
            let look = || {
                let mut found = None;
                Netns::run(|_| found = Some(snapshot(&["--pid", &pid, "--netns", &inode])));
                found
            };
            scope.spawn(look).join().unwrap().unwrap()
        });
        assert_eq!(elsewhere[&port(&stream)].number("tcp.unread_bytes"), 9);
    });
}

fn a_watched_snapshot_is_told_again() {
    Netns::run(|namespace| {
        let (_stream, _peer) = abort::with_unread(Family::V4, Side::Client, 5);
        orderly::close(Family::V4, Side::Client);
        let netns = namespace.inode().to_string();
        let outcome = run::observer_alone(&["snapshot", "--netns", &netns, "--watch", "1ms", "--count", "3"]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        let sums = outcome.stdout.matches("1 socket holds 5 unread bytes; closed now, it would send 1 RST\n").count();
        assert_eq!(sums, 3, "{outcome:?}");
        assert!(!outcome.stdout.contains('\x1b'), "appended where no terminal is: {outcome:?}");
    });
}

fn a_snapshot_of_no_namespace_is_refused() {
    run::observer_alone(&["snapshot", "--netns", "1"]).assert_refused(&["network namespace 1", "lsns -t net"]);
    run::observer_alone(&["snapshot", "--count", "1"]).assert_refused(&["--watch"]);
    run::observer_alone(&["snapshot", "--watch", "0ms"]).assert_refused(&["--watch", "above zero"]);
}

fn whoever_may_not_look_everywhere_is_told_so() {
    let outcome = run::run(PublicCopy::new("snapshot").as_nobody(&["snapshot"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("other users' processes: root"), "{outcome:?}");
}
