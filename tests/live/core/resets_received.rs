//! Culprit and victim of one RST: two events with one id, each naming the other's process.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use conn_observer_tests::act::Act;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tun as TunDevice, Veth};
use conn_observer_tests::late;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::Family;
use conn_observer_tests::received::{self, Lost};
use conn_observer_tests::sock::{self, State};
use conn_observer_tests::tun::Tun;
use conn_observer_tests::veth::{FAR, Far};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::resets_received",
        [PrivateNetns, Bpf],
        [
            culprit_and_victim_name_each_other,
            late_data_resets_the_writer_and_not_the_closer,
            a_full_shutdown_is_no_reset_received,
            a_port_where_nobody_listens_refuses,
        ]
    );
    add!(
        suite,
        "core::resets_received",
        [PrivateNetns, Bpf, Veth],
        [culprit_and_victim_in_two_namespaces_share_an_id,]
    );
    add!(
        suite,
        "core::resets_received",
        [PrivateNetns, Bpf, TunDevice],
        [a_victim_without_a_local_culprit_has_no_counterpart,]
    );
}

/// One event of each end.
#[track_caller]
fn split(events: Vec<Event>, act: &Act) -> (Event, Event) {
    let (near, far): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event.is_at(act));
    assert_eq!((near.len(), far.len()), (1, 1), "at the act: {near:?}, at the other end: {far:?}");
    let [near, far] = [near, far].map(|mut events| events.remove(0));
    assert!(far.is_about(act), "{far:?}");
    (near, far)
}

/// Another process connects to us, and we write to it.
fn called_by(actor: &mut Actor, listener: &TcpListener, bytes: usize) -> (Act, TcpStream) {
    let address = listener.local_addr().unwrap();
    let act = actor.play_one(&format!("connect-many {address} 1"));
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(&vec![b'x'; bytes]).unwrap();
    sock::wait_acknowledged(&server);
    (Act { unread: bytes as u64, ..act }, server)
}

#[track_caller]
fn assert_same_reset(culprit: &Event, victim: &Event) {
    let id = culprit.text("tcp.reset_id");
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{culprit:?}");
    assert_eq!(victim.text("tcp.reset_id"), id, "{culprit:?}\n{victim:?}");
    assert_eq!((culprit.at("tcp.reset_sent"), victim.at("tcp.reset_sent")), (&true.into(), &false.into()));
}

fn culprit_and_victim_name_each_other() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let listener = TcpListener::bind(Family::V4.loopback()).unwrap();
        let (act, server) = called_by(&mut actor, &listener, 100);
        // Not read by us: lost with the RST.
        actor.play("write 30");
        sock::wait_readable(&server, 30);
        actor.play("close");
        sock::wait_state(&server, State::Close);
        let (culprit, victim) = split(observer.events_before_fence(), &act);
        culprit.assert_is("close_unread", &act);
        assert_eq!((victim.kind(), victim.cause()), ("reset_received", "reset_by_peer"), "{victim:?}");
        assert_same_reset(&culprit, &victim);
        let (theirs, ours) = (u64::from(actor.pid()), u64::from(std::process::id()));
        assert_eq!((culprit.number("process.pid"), culprit.number("counterpart.pid")), (theirs, ours), "{culprit:?}");
        assert_eq!((victim.number("process.pid"), victim.number("counterpart.pid")), (ours, theirs), "{victim:?}");
        assert_eq!((victim.number("tcp.unread_bytes"), victim.number("tcp.unacked_bytes")), (30, 0), "{victim:?}");
    });
}

/// The kernel calls the receiver's reset also where it is the one that sends: no event may come of that.
fn late_data_resets_the_writer_and_not_the_closer() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let act = late::after_close(Family::V4);
        let (culprit, victim) = split(observer.events_before_fence(), &act);
        culprit.assert_is("data_after_close", &act);
        assert_eq!((victim.kind(), victim.cause()), ("reset_received", "reset_by_peer"), "{victim:?}");
        assert_same_reset(&culprit, &victim);
    });
}

fn a_full_shutdown_is_no_reset_received() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let (act, _still_open) = late::after_shutdown(Family::V4);
        let (culprit, victim) = split(observer.events_before_fence(), &act);
        culprit.assert_is("data_after_close", &act);
        assert_eq!(victim.kind(), "reset_received", "{victim:?}");
        assert_same_reset(&culprit, &victim);
    });
}

fn a_port_where_nobody_listens_refuses() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let port = conn_observer_tests::orderly::connection_refused();
        let events = observer.events_before_fence();
        let [event] = &events[..] else { panic!("the caller's event alone: {events:?}") };
        assert_eq!((event.kind(), event.cause()), ("reset_received", "connection_refused"), "{event:?}");
        assert_eq!(event.end("peer").map(|end| end.port()), Some(port), "{event:?}");
        assert_eq!(event.text("tcp.state"), "SYN_SENT", "{event:?}");
        assert_eq!(event.number("process.pid"), u64::from(std::process::id()), "{event:?}");
        assert_eq!(event.at("tcp.unacked_bytes").as_u64().unwrap_or(0), 0, "a SYN is no byte: {event:?}");
        assert!(event.at("counterpart").is_null(), "{event:?}");
    });
}

/// The later of the two events has the other's process at least.
fn culprit_and_victim_in_two_namespaces_share_an_id() {
    Netns::run(|near| {
        let other = Far::connect().expect("a far namespace");
        let inodes = [near.inode(), other.run(Netns::inode)].map(|inode| inode.to_string());
        let mut actor = Actor::spawn();
        let mut observer = Observer::start(&["--netns", &inodes[0], "--netns", &inodes[1]]).with_victims();
        let listener = other.run(|_| TcpListener::bind((FAR, 0)).unwrap());
        let (act, server) = called_by(&mut actor, &listener, 100);
        actor.play("close");
        sock::wait_state(&server, State::Close);
        let events = observer.events_before_fence();
        let later = events.last().cloned();
        let (culprit, victim) = split(events, &act);
        culprit.assert_is("close_unread", &act);
        assert_eq!((victim.kind(), victim.cause()), ("reset_received", "reset_by_peer"), "{victim:?}");
        assert_same_reset(&culprit, &victim);
        let namespaces = [&culprit, &victim].map(|event| event.number("network.namespace").to_string());
        assert_eq!(namespaces, inodes);
        let (theirs, ours) = (u64::from(actor.pid()), u64::from(std::process::id()));
        assert_eq!((culprit.number("process.pid"), victim.number("process.pid")), (theirs, ours));
        let later = later.expect("two events");
        let expected = if later == victim { theirs } else { ours };
        assert_eq!(later.number("counterpart.pid"), expected, "{later:?}");
        for event in [culprit, victim] {
            let expected = if event.kind() == "close" { ours } else { theirs };
            let counterpart = event.at("counterpart.pid");
            assert!(counterpart.is_null() || counterpart == expected, "{event:?}");
        }
    });
}

fn a_victim_without_a_local_culprit_has_no_counterpart() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let (act, stream) = received::established(&tun, Lost { unread: 3, in_flight: 1000, unsent: 0 });
        let events = observer.events_before_fence();
        let [event] = &events[..] else { panic!("one event: {events:?}") };
        assert!(event.is_at(&act), "{event:?}");
        assert!(event.at("counterpart").is_null(), "{event:?}");
        assert_eq!(event.text("tcp.reset_id").len(), 16, "{event:?}");
        // What was left unread is told once more when it is thrown away, but no RST goes out then.
        drop(stream);
        let events = observer.events_before_fence();
        let [close] = &events[..] else { panic!("one event: {events:?}") };
        assert_eq!((close.cause(), close.number("tcp.unread_bytes")), ("close_unread", 3), "{close:?}");
        assert_eq!(close.at("tcp.reset_sent"), false, "{close:?}");
    });
}
