//! A ring that is too small: what is lost is declared, and totals stay exact.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

use conn_observer_tests::abort;
use conn_observer_tests::actor::{Actor, COMM};
use conn_observer_tests::crowd;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::sock;
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "loss",
        [PrivateNetns, Bpf],
        [
            a_flood_into_a_full_ring_is_declared_and_counted,
            a_ring_that_is_no_power_of_two_pages_is_refused,
            owners_for_whom_there_is_no_room_are_counted,
            sockets_for_which_there_is_no_room_are_counted,
            lives_for_which_there_is_no_room_are_counted,
            processes_beyond_the_memory_are_forgotten_and_counted,
        ]
    );
}

fn a_flood_into_a_full_ring_is_declared_and_counted() {
    const CLOSES: u64 = 3_000;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--ring-size", "4096", "--latency", "1000"]);
        let before = namespace.counters();
        // Stopped, it reads nothing: the ring fills after some records, whatever the speed of this machine.
        observer.signal(Signal::STOP);
        for _ in 0..CLOSES {
            abort::unread(Family::V4, Side::Client, 3);
        }
        observer.signal(Signal::CONT);
        let delta = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let report = observer.stop();
        assert_eq!(delta, CLOSES);
        assert_eq!(report.total(namespace, "close_unread", "acts"), CLOSES);
        assert_eq!(report.total(namespace, "close_unread", "unread_bytes"), 3 * CLOSES);
        assert_eq!(report.total(namespace, "close_unread", "submitted"), CLOSES);
        let lost = report.total(namespace, "close_unread", "lost");
        assert!(lost > 0, "{:?}", report.stopped());
        assert_eq!(report.count("close_unread") + lost, CLOSES);
        let losses: Vec<_> = report.lines().iter().filter(|event| event.kind() == "loss").collect();
        let declared: u64 = losses.iter().map(|event| event.number("lost")).sum();
        assert_eq!(declared, report.stopped().number("lost"), "{losses:?}");
        assert_eq!(losses.last().unwrap().number("total_lost"), declared);
        for event in losses {
            assert_eq!(event.text("where"), "ring");
            let by_cause = event.at("causes").as_array().unwrap();
            let sum: u64 = by_cause.iter().map(|row| row["count"].as_u64().unwrap()).sum();
            assert_eq!(sum, event.number("lost"), "{event:?}");
            assert!(by_cause.iter().any(|row| row["cause"] == "close_unread"), "{event:?}");
        }
    });
}

fn a_ring_that_is_no_power_of_two_pages_is_refused() {
    for size in ["4095", "5000", "12288", "0"] {
        conn_observer_tests::run::observer(&["--ring-size", size]).assert_refused(&["--ring-size", size]);
    }
}

fn owners_for_whom_there_is_no_room_are_counted() {
    const CONNECTIONS: usize = 500;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--owners", "16"]);
        let (clients, servers): (Vec<_>, Vec<_>) =
            (0..CONNECTIONS).map(|_| Pair::connect(Family::V4)).map(|pair| (pair.client, pair.server)).unzip();
        // The clients are the victims: whoever listens on a port is known, were the owner of the connection forgotten.
        for server in servers {
            sock::linger_zero(&server);
        }
        drop(clients);
        let report = observer.stop();
        let received: Vec<_> = report.lines().iter().filter(|event| event.kind() == "reset_received").collect();
        assert_eq!(received.len(), CONNECTIONS, "told all the same");
        let unknown = received.iter().filter(|event| event.at("process").is_null()).count();
        assert!(unknown > CONNECTIONS / 2, "{unknown} of {CONNECTIONS}");
        assert_eq!(report.stopped().number("unknown_owners"), unknown as u64);
    });
}

/// There is room for 65,536 sockets, but for eight only of those that meet in a set: of 32,000 some are too many. Two processes
/// have them, for one may not open so many files.
fn sockets_for_which_there_is_no_room_are_counted() {
    const CONNECTIONS: usize = 16_000;
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let listener = crowd::listen(Ipv4Addr::LOCALHOST, 4_096);
        let observer = Observer::within(namespace, &["--cause", "close_unread", "--ring-size", "33554432"]);
        let address = listener.local_addr().expect("an address").as_socket().expect("IP");
        let line = format!("connect-many {address} {CONNECTIONS}");
        actor.begin(&line);
        let accept = |_| TcpStream::from(listener.accept().expect("accept").0);
        let mut servers: Vec<TcpStream> = (0..CONNECTIONS).map(accept).collect();
        actor.finish(&line);
        servers.iter_mut().for_each(|server| server.write_all(b"x").expect("send"));
        servers.iter().for_each(sock::wait_acknowledged);
        actor.play("close");
        let report = observer.stop();
        assert_eq!(report.total(namespace, "close_unread", "acts"), CONNECTIONS as u64);
        let closes: Vec<_> = report.lines().iter().filter(|event| event.cause() == "close_unread").collect();
        assert_eq!(closes.len(), CONNECTIONS, "told all the same");
        let of_actor = |event: &&&Event| {
            event.number("process.pid") == u64::from(actor.pid()) && event.number("tcp.unread_bytes") == 1
        };
        assert_eq!(closes.iter().filter(of_actor).count(), CONNECTIONS);
        let ageless = closes.iter().filter(|event| event.at("tcp.duration_ms").is_null()).count() as u64;
        let overflow = report.stopped().number("overflow");
        assert!(overflow > 0 && ageless <= overflow, "{ageless} without an age, {overflow} forgotten");
    });
}

/// The ring of processes' lives holds a mebibyte: some 4,500 births and deaths.
fn lives_for_which_there_is_no_room_are_counted() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &[]);
        observer.signal(Signal::STOP);
        Actor::spawn().play("fork-many 6000");
        let act = Actor::spawn().play_one("unread 5");
        observer.signal(Signal::CONT);
        let report = observer.stop();
        assert!(report.stopped().number("lost_processes") > 1_000, "{:?}", report.stopped());
        // The finding is told all the same, by what its own record says.
        let event = report.events().find(|event| event.cause() == "close_unread").expect("the finding");
        event.assert_is("close_unread", &act);
        assert_eq!(event.text("process.comm"), COMM, "{event:?}");
        assert!(event.at("process.executable").is_null(), "nobody could know it any more: {event:?}");
        // Both ends of the RST are told, and both are that process.
        assert_eq!(report.stopped().number("unknown_processes"), 4);
    });
}

fn processes_beyond_the_memory_are_forgotten_and_counted() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--processes", "16", "--latency", "400"]);
        // All of it is read at once, when the first process is forgotten already.
        let act = Actor::spawn().play_one("unread 5");
        Actor::spawn().play("fork-many 100");
        observer.expect("close_unread", &act);
        let report = observer.stop();
        assert_eq!(report.stopped().number("lost_processes"), 0);
        assert_eq!(report.stopped().number("unknown_processes"), 4, "{:?}", report.stopped());
    });
}
