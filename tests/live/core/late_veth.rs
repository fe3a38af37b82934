//! Late data with a real delay and a real way: every RST names who closed, of a thousand connections of another process.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use conn_observer_tests::act::Act;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::crowd::{self, Crowd};
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netem, Netns as PrivateNetns, Veth};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::sock;
use conn_observer_tests::veth::{FAR, Far};

use crate::suite::{Suite, add};

const COUNT: usize = 1_000;
/// Between the last close and the first late byte.
const PAUSE: Duration = Duration::from_millis(250);
/// More than an alert.
const BYTES: usize = 100;

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::late_veth",
        [PrivateNetns, Bpf, Veth],
        [
            a_thousand_minisockets_name_the_closer,
            a_thousand_whole_sockets_name_the_closer,
            a_connection_is_told_once_however_much_comes_late,
            whoever_listens_here_on_the_port_of_a_peer_elsewhere_is_not_the_peer,
        ]
    );
    add!(suite, "core::late_veth", [PrivateNetns, Bpf, Netem], [a_slow_way_does_not_change_that,]);
}

fn a_thousand_minisockets_name_the_closer() {
    late_data(60, COUNT, None);
}

fn a_thousand_whole_sockets_name_the_closer() {
    late_data(90, COUNT, None);
}

/// Delayed packets arrive while somebody else runs, or nobody.
fn a_slow_way_does_not_change_that() {
    late_data(90, 100, Some(Duration::from_millis(5)));
    late_data(60, 100, Some(Duration::from_millis(5)));
}

/// `fin_timeout` decides what a closed connection is while it waits: up to 60 s a time-wait minisocket (some stay whole
/// even so, where the FIN was acknowledged while the close was not over), beyond a whole socket.
fn late_data(fin_timeout: u32, count: usize, delay: Option<Duration>) {
    Netns::run(|near| {
        near.set_fin_timeout(fin_timeout);
        let other = Far::connect().expect("a far namespace");
        if let Some(delay) = delay {
            other.delay(delay).expect("netem");
        }
        let listener = other.run(|_| crowd::listen(FAR, count));
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(near, &[]);
        let crowd = Crowd::closed_by(&mut actor, &listener, count);
        let (acts, minisockets) = (crowd.acts.clone(), crowd.minisockets);
        let expected = if fin_timeout > 60 { 0..=0 } else { count / 2..=count };
        assert!(expected.contains(&minisockets), "{minisockets} minisockets with {fin_timeout} s");
        let before = near.counters();
        crowd.write_after(PAUSE, BYTES);
        let raised = near.counters().since(&before);
        assert_eq!(raised.tcp("OutRsts"), count as u64);
        assert_eq!(raised.tcp_ext("TCPAbortOnData"), (count - minisockets) as u64);
        let blind = observer.declares_limit("timewait");
        let events = observer.events_before_fence();
        let of = |cause: &str| events.iter().filter(|event| event.cause() == cause).count();
        assert_eq!(of("data_after_close"), count - minisockets);
        assert_eq!(of("data_after_timewait"), if blind { 0 } else { minisockets });
        assert_eq!(events.len(), of("data_after_close") + of("data_after_timewait"), "nothing else happened");
        for event in &events {
            let act = acts.iter().find(|act| event.is_at(act)).unwrap_or_else(|| panic!("no close is {event:?}"));
            event.assert_is(event.cause(), act);
            assert_late(event);
        }
    });
}

#[track_caller]
fn assert_late(event: &Event) {
    let milliseconds = event.at("tcp.closed_ms_ago").as_f64().expect("closed_ms_ago");
    assert!(milliseconds >= PAUSE.as_secs_f64() * 1e3, "{event:?}");
    assert_eq!(event.number("tcp.segment_bytes"), BYTES as u64, "{event:?}");
    assert_eq!(event.text("severity"), "suspect", "{event:?}");
}

/// A minisocket goes away with its RST; what comes then meets no socket, and the connection is told once of each.
fn a_connection_is_told_once_however_much_comes_late() {
    Netns::run(|near| {
        near.set_fin_timeout(90);
        let other = Far::connect().expect("a far namespace");
        let listener = other.run(|_| crowd::listen(FAR, 1));
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(near, &[]);
        let crowd = Crowd::closed_by(&mut actor, &listener, 1);
        let act = crowd.acts[0].clone();
        crowd.write_after(Duration::ZERO, 5_000);
        let events = observer.events_before_fence();
        let late = events.iter().filter(|event| event.cause() == "data_after_close").count();
        let nowhere = events.iter().filter(|event| event.cause() == "no_socket").count();
        assert_eq!((late, late + nowhere), (1, events.len()), "{events:?}");
        assert!(nowhere <= 1, "{events:?}");
        assert!(events.iter().all(|event| event.is_at(&act)), "{events:?}");
        assert!(events.iter().all(|event| event.number("process.pid") == u64::from(actor.pid())), "{events:?}");
    });
}

fn whoever_listens_here_on_the_port_of_a_peer_elsewhere_is_not_the_peer() {
    Netns::run(|near| {
        let far = Far::connect().expect("a far namespace");
        let there = far.run(|_| TcpListener::bind((FAR, 0)).expect("a listener"));
        let port = there.local_addr().unwrap().port();
        let mut observer = Observer::within(near, &[]);
        let _here = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the same port");
        let client = TcpStream::connect((FAR, port)).expect("a connection");
        let (mut server, _) = there.accept().expect("the connection");
        server.write_all(b"unread").unwrap();
        sock::wait_readable(&client, 6);
        let act = Act::of(&client, 6);
        drop(client);
        let event = observer.expect("close_unread", &act);
        assert!(event.at("counterpart").is_null(), "{event:?}");
    });
}
