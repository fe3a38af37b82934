//! Whom a RST is about when no process asked for it, and when one did for another: never the task that just ran.

use std::net::TcpListener;

use conn_observer_tests::act::{Act, stay_on};
use conn_observer_tests::actor::Actor;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tun as TunDevice};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::scripted::Scripted;
use conn_observer_tests::segment::{ACK, FIN, RST};
use conn_observer_tests::tun::{HERE, Tun};
use conn_observer_tests::{abort, answers, handmade, queue, sock};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "core::owners_of_resets", [PrivateNetns, Bpf], [a_closed_listener_answers_for_all_that_waited,]);
    add!(
        suite,
        "core::owners_of_resets",
        [PrivateNetns, Bpf, TunDevice],
        [
            a_timer_that_interrupts_a_busy_process_names_the_owner,
            a_reset_that_we_deliver_names_its_owner,
            late_data_that_we_deliver_names_the_closer,
            connections_older_than_the_observer_have_owners_too,
            an_earlier_connection_of_the_same_ends_is_another_story,
            a_phantom_is_told_where_the_kernel_makes_one,
        ]
    );
}

fn a_closed_listener_answers_for_all_that_waited() {
    const COUNT: usize = 37;
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let before = namespace.counters();
        let (acts, _clients) = abort::listener_with(COUNT);
        assert_eq!(namespace.counters().since(&before).resets(), [("OutRsts", COUNT as u64)], "no TCPAbort… moves");
        let events = observer.events_before_fence();
        let (children, victims): (Vec<Event>, Vec<Event>) =
            events.into_iter().partition(|event| event.kind() == "reset_sent");
        assert_eq!((children.len(), victims.len()), (COUNT, COUNT), "{children:?}");
        for act in &acts {
            let event = children.iter().find(|event| event.is_at(act)).unwrap_or_else(|| panic!("nothing of {act:?}"));
            event.assert_is("listener_close", act);
            assert_eq!(event.number("listener.unaccepted"), COUNT as u64, "{event:?}");
        }
        assert!(victims.iter().all(|event| event.cause() == "reset_by_peer"), "{victims:?}");
        let report = observer.stop();
        assert_eq!(report.total(namespace, "listener_close", "resets"), COUNT as u64);
    });
}

/// Timer, spinning process and owner share a CPU, so that the timer finds the spinner running.
fn a_timer_that_interrupts_a_busy_process_names_the_owner() {
    const CPU: usize = 0;
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let mut spinner = Actor::spawn();
        spinner.play(&format!("spin {CPU}"));
        let mut observer = Observer::within(namespace, &[]).with_victims();
        stay_on(CPU);
        let (act, _stream) = answers::keepalive(&tun);
        let event = only(observer.events_before_fence());
        assert_tells(&event, "keepalive_timeout", "owner", &act);
    });
}

/// The test's process runs while the packet of its TUN device is processed; the connection is another process's.
fn a_reset_that_we_deliver_names_its_owner() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let (act, mut peer) = called_by(&mut actor, &tun);
        peer.send(RST | ACK, &[]);
        let event = only(observer.events_before_fence());
        assert_tells(&event, "reset_by_peer", "owner", &act);
    });
}

fn late_data_that_we_deliver_names_the_closer() {
    Netns::run(|namespace| {
        namespace.set_fin_timeout(90);
        let tun = Tun::open().expect("a TUN device");
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let (act, mut peer) = called_by(&mut actor, &tun);
        actor.play("close");
        peer.receive(|segment| segment.has(FIN));
        peer.acknowledge();
        queue::wait_fin_acknowledged(act.local.port(), act.peer.port());
        peer.send(ACK, b"too late");
        peer.receive_reset();
        let event = only(observer.events_before_fence());
        assert_tells(&event, "data_after_close", "closer", &act);
        assert_eq!(event.number("tcp.segment_bytes"), 8, "{event:?}");
    });
}

/// The observer looks at what there is when it starts.
fn connections_older_than_the_observer_have_owners_too() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let mut actor = Actor::spawn();
        let (act, mut peer) = called_by(&mut actor, &tun);
        let mut observer = Observer::within(namespace, &[]).with_victims();
        peer.send(RST | ACK, &[]);
        let event = only(observer.events_before_fence());
        assert_tells(&event, "reset_by_peer", "owner", &act);
        assert_eq!(observer.stop().stopped().number("unknown_owners"), 0);
    });
}

/// Nobody has accepted the second connection when its peer resets it: it is its listener's, not that of whoever closed the first.
fn an_earlier_connection_of_the_same_ends_is_another_story() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let listener = TcpListener::bind((HERE, 0)).expect("a listener");
        let mut observer = Observer::within(namespace, &[]).with_victims();
        let (stream, mut first) = Scripted::connect(&tun, &listener);
        first.send(ACK, b"unread");
        sock::wait_readable(&stream, 6);
        let act = Act::of(&stream, 6);
        drop(stream);
        first.receive_reset();
        let mut second = first.again();
        second.call();
        second.acknowledge();
        second.send(RST | ACK, &[]);
        let events = observer.events_before_fence();
        assert_eq!(events.len(), 2, "{events:?}");
        events[0].assert_is("close_unread", &act);
        assert!(events[1].is_at(&act), "the same ends: {:?}", events[1]);
        assert_eq!((events[1].cause(), events[1].text("process.attribution")), ("reset_by_peer", "listener"));
        assert!(events[1].at("tcp.closed_ms_ago").is_null(), "{:?}", events[1]);
    });
}

/// Kernels with the fix "do not send RST if there is no unread data" (5f9238530970 and its backports) close in order;
/// the counter tells which kind this is.
fn a_phantom_is_told_where_the_kernel_makes_one() {
    Netns::run(|namespace| {
        let tun = Tun::open().expect("a TUN device");
        let mut observer = Observer::within(namespace, &["--all-closes"]).with_victims();
        let before = namespace.counters();
        let act = handmade::phantom(&tun);
        let made = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose") == 1;
        let event = only(observer.events_before_fence());
        event.assert_is(if made { "close_phantom" } else { "clean" }, &act);
        assert_eq!(event.at("tcp.reset_sent") == true, made, "{event:?}");
        assert_eq!(event.text("severity"), "benign", "{event:?}");
    });
}

/// An actor's connection to a scripted peer.
fn called_by<'tun>(actor: &mut Actor, tun: &'tun Tun) -> (Act, Scripted<'tun>) {
    let address = tun.unused();
    let line = format!("connect-many {address} 1");
    actor.begin(&line);
    let mut peer = Scripted::awaiting(tun, address);
    peer.answer();
    (actor.finish(&line).remove(0), peer)
}

#[track_caller]
fn only(mut events: Vec<Event>) -> Event {
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

#[track_caller]
fn assert_tells(event: &Event, cause: &str, attribution: &str, act: &Act) {
    assert_eq!((event.cause(), event.text("process.attribution")), (cause, attribution), "{event:?}");
    assert!(event.is_at(act), "{event:?}");
    assert_eq!(event.number("process.pid"), u64::from(act.pid), "{event:?}");
    assert!(event.at("stack").is_null(), "nobody's stack led here: {event:?}");
}
