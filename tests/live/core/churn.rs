//! Connections that come and go: who makes them again and again is told once a window, whether or not a RST was sent.
//!
//! Most tests have one long window, whose verdicts come at the end of the run: nothing depends on the machine's speed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use conn_observer_tests::actor::{Actor, COMM};
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair};
use conn_observer_tests::report::Report;
use conn_observer_tests::visit::{self, ANSWER, End, REQUEST};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::once::churn",
        [PrivateNetns, Bpf],
        [
            whoever_ends_connections_again_and_again_is_told_with_every_kind_of_end,
            addresses_of_every_family_and_servers_that_never_read_are_told,
            connections_that_are_few_live_long_serve_many_requests_or_are_older_are_not_told,
            a_program_that_is_run_again_and_again_is_told_as_such,
            connections_beyond_the_room_are_counted,
        ]
    );
}

/// Arguments of an observer whose window does not end before its run.
const ONE_WINDOW: [&str; 2] = ["--churn", "1h"];

const VISITS: u64 = 20;

fn port(listener: &TcpListener) -> u64 {
    listener.local_addr().unwrap().port().into()
}

/// The verdict on an end of the visits to a port, of which there is one at most.
fn on<'a>(report: &'a Report, role: &str, port: u64) -> Option<&'a Event> {
    let end = if role == "client" { "network.peer.port" } else { "network.local.port" };
    let mut found = report.of_kind("churn");
    found.retain(|event| event.text("network.role") == role && event.at(end) == port);
    assert!(found.len() <= 1, "told twice in a window: {found:?}");
    found.first().copied()
}

/// What is expected of one end: verdict, severity, and of the visits how many were reset, and ended by the peer first.
type Told = (&'static str, &'static str, u64, u64);

/// What is to be told of the client and of the server, if anything.
fn expected(end: End) -> (Option<Told>, Option<Told>) {
    let peer = Some(("peer_closes", "benign", 0, VISITS));
    let client = Some(("closes", "suspect", 0, 0));
    match end {
        End::ByClient | End::HalfClosed | End::ShutDown | End::ClosedWhileHalfClosed => (client, peer),
        End::ByServer | End::HalfClosedAfterServer => (peer, Some(("closes", "benign", 0, 0))),
        // A connection that the peer has reset is not ended by the server.
        End::Unread | End::LingerZero => (Some(("resets", "suspect", VISITS, 0)), None),
    }
}

fn assert_told(found: Option<&Event>, expected: Option<Told>, what: &str) {
    let Some((verdict, severity, flagged, peer_first)) = expected else {
        return assert_eq!(found, None, "{what}");
    };
    let event = found.unwrap_or_else(|| panic!("{what}: nothing is told"));
    let number = |name: &str| event.number(&format!("connections.{name}"));
    let counts = ["opened", "closed", "flagged", "short_lived", "peer_first"].map(number);
    assert_eq!(counts, [VISITS, VISITS, flagged, VISITS, peer_first], "{what}: {event:?}");
    assert_eq!((event.text("verdict"), event.text("severity")), (verdict, severity), "{what}: {event:?}");
    let is_client = event.text("network.role") == "client";
    let bytes = if is_client { [REQUEST, ANSWER] } else { [ANSWER, REQUEST] };
    assert_eq!(["sent_bytes", "received_bytes"].map(|name| event.number(name)), bytes, "{what}: {event:?}");
    assert_eq!(event.text("reuse"), "none", "{what}: {event:?}");
    assert_eq!(event.number("handshakes_wasted"), VISITS - 1, "{what}: {event:?}");
    assert_eq!(event.number("process.pid"), u64::from(std::process::id()), "{what}");
    assert_eq!(event.text("process.attribution"), "current", "{what}");
    assert!(event.at("rate_per_s").as_f64().unwrap() > 0.0, "{what}: {event:?}");
    let lifetime = event.at("mean_lifetime_ms").as_f64().unwrap();
    assert!(lifetime > 0.0 && lifetime < 1_000.0, "{what}: {event:?}");
    assert!(event.at("wasted_ms").as_f64().unwrap() > 0.0, "{what}: {event:?}");
    assert!(!event.text("hint.advice").is_empty(), "{what}: {event:?}");
}

fn whoever_ends_connections_again_and_again_is_told_with_every_kind_of_end() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &ONE_WINDOW);
        let listeners = End::ALL.map(|_| visit::listen(Family::V4));
        for (end, listener) in End::ALL.into_iter().zip(&listeners) {
            visit::make(listener, end, VISITS);
        }
        let report = observer.stop();
        let mut told = 0;
        for (end, listener) in End::ALL.into_iter().zip(&listeners) {
            let (client, server) = expected(end);
            assert_told(on(&report, "client", port(listener)), client, &format!("client, {end:?}"));
            assert_told(on(&report, "server", port(listener)), server, &format!("server, {end:?}"));
            told += u64::from(client.is_some()) + u64::from(server.is_some());
        }
        assert_eq!(report.of_kind("churn").len() as u64, told, "nothing else is told");
        assert_eq!(report.stopped().at("churn")["told"], told);
        assert_eq!(report.stopped().at("churn")["uncounted"], 0);
    });
}

fn addresses_of_every_family_and_servers_that_never_read_are_told() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &ONE_WINDOW);
        let listeners = Family::ALL.map(visit::listen);
        for listener in &listeners {
            visit::make(listener, End::ByClient, VISITS);
        }
        let greeter = visit::listen(Family::V4);
        visit::be_greeted(&greeter, VISITS);
        let report = observer.stop();
        for role in ["client", "server"] {
            let event = on(&report, role, port(&greeter)).expect("a verdict");
            assert_eq!(["opened", "closed"].map(|name| event.number(&format!("connections.{name}"))), [VISITS; 2]);
            assert_eq!(event.text("reuse"), "none", "{event:?}");
        }
        for (listener, (kind, address)) in
            listeners.iter().zip([("ipv4", "127.0.0.1"), ("ipv6", "::1"), ("ipv4", "127.0.0.1")])
        {
            for role in ["client", "server"] {
                let event = on(&report, role, port(listener)).expect("a verdict");
                assert_eq!((event.text("network.type"), event.text("network.peer.address")), (kind, address));
                assert_eq!(event.number("network.namespace"), namespace.inode());
            }
        }
    });
}

fn connections_that_are_few_live_long_serve_many_requests_or_are_older_are_not_told() {
    Netns::run(|namespace| {
        let listener = visit::listen(Family::V4);
        let older: Vec<Pair> = (0..VISITS).map(|_| Pair::through(&listener)).collect();
        let observer = Observer::within(namespace, &ONE_WINDOW);
        drop(older);
        let listener = visit::listen(Family::V4);
        let lasting: Vec<Pair> = (0..VISITS).map(|_| Pair::through(&listener)).collect();
        let start = Instant::now();
        visit::make(&visit::listen(Family::V4), End::ByClient, 9);
        let mut busy = Pair::through(&visit::listen(Family::V4));
        for _ in 0..10 * VISITS {
            visit::exchange(&mut busy);
        }
        drop(busy);
        // The age is what is tested here, it paces nothing.
        until("a second to pass", || start.elapsed() > Duration::from_millis(1_100));
        drop(lasting);
        assert_eq!(observer.stop().of_kind("churn"), Vec::<&Event>::new());
    });
}

fn a_program_that_is_run_again_and_again_is_told_as_such() {
    Netns::run(|namespace| {
        let listener = visit::listen(Family::V4);
        let observer = Observer::within(namespace, &[&ONE_WINDOW[..], &["--comm", COMM]].concat());
        let mut last = 0;
        for _ in 0..VISITS {
            let mut actor = Actor::spawn();
            last = actor.pid();
            actor.play(&format!("connect {}", port(&listener)));
            actor.play("close");
            actor.kill();
        }
        let report = observer.stop();
        let events = report.of_kind("churn");
        assert_eq!(events.len(), 1, "{events:?}");
        let event = events[0];
        assert_eq!((event.text("verdict"), event.text("severity")), ("one_per_process", "benign"), "{event:?}");
        assert_eq!(["processes", "connections.closed"].map(|name| event.number(name)), [VISITS; 2], "{event:?}");
        assert_eq!((event.text("process.comm"), event.number("process.pid")), (COMM, last.into()), "{event:?}");
        assert_eq!(event.at("network.peer.port"), port(&listener), "{event:?}");
    });
}

fn connections_beyond_the_room_are_counted() {
    const ROOM: u64 = 4;
    const LISTENERS: u64 = 6;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &[&ONE_WINDOW[..], &["--churn-pairs", &ROOM.to_string()]].concat());
        for _ in 0..LISTENERS {
            visit::make(&visit::listen(Family::V4), End::ByClient, VISITS);
        }
        let report = observer.stop();
        assert_eq!(report.of_kind("churn").len() as u64, ROOM, "{:?}", report.of_kind("churn"));
        // Both ends of each connection, its beginning and its end.
        let uncounted = (2 * LISTENERS - ROOM) * 2 * VISITS;
        assert_eq!(report.stopped().at("churn")["uncounted"], uncounted);
        assert!(
            report.of_kind("churn").iter().all(|event| event.at("uncounted") == uncounted),
            "{:?}",
            report.of_kind("churn")
        );
        // Sockets of other tests may be in it.
        assert!(report.stopped().number("overflow") < uncounted, "which would explain a residual of an audit");
    });
}
