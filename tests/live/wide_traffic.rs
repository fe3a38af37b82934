//! The makers with a second namespace, another process or settings of the machine are what they say, by the kernel's own
//! counters. No BPF is needed here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use conn_observer_tests::actor::Actor;
use conn_observer_tests::crowd::{self, Crowd};
use conn_observer_tests::feature::Feature::{self, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::pair::{Family, Pair};
use conn_observer_tests::sock::{self, State};
use conn_observer_tests::veth::{FAR, Far};
use conn_observer_tests::{abort, scarce};

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(suite, "traffic", [PrivateNetns], [a_listener_resets_all_that_wait_without_a_counter,]);
    add!(
        suite,
        "traffic",
        [PrivateNetns, Feature::Veth],
        [connections_reach_the_other_namespace, data_for_a_crowd_of_closed_connections_is_reset,]
    );
    add!(suite, "traffic", [PrivateNetns, Feature::Netem], [a_delay_is_kept,]);
    add!(suite, "traffic", [PrivateNetns, Feature::SockDestroy], [a_connection_is_ended_from_outside,]);
    add!(suite, "traffic", [PrivateNetns, Feature::OwnMachine], [a_close_without_memory_raises_abort_on_memory_once,]);
}

fn a_listener_resets_all_that_wait_without_a_counter() {
    Netns::run(|namespace| {
        let before = namespace.counters();
        let (acts, _clients) = abort::listener_with(37);
        assert_eq!(acts.len(), 37);
        assert_eq!(namespace.counters().since(&before).resets(), [("OutRsts", 37)]);
    });
}

/// Each namespace counts its own end.
fn connections_reach_the_other_namespace() {
    Netns::run(|near| {
        let other = Far::connect().expect("a far namespace");
        let (listener, before_far) = other.run(|far| {
            assert_ne!(far.inode(), near.inode());
            (TcpListener::bind((FAR, 0)).unwrap(), far.counters())
        });
        let before = near.counters();
        let Pair { client, mut server } = Pair::through(&listener);
        server.write_all(b"unread").unwrap();
        sock::wait_readable(&client, 6);
        drop(client);
        sock::wait_state(&server, State::Close);
        assert_eq!(near.counters().since(&before).resets(), [("OutRsts", 1), ("TCPAbortOnClose", 1)]);
        let over_there = other.run(Netns::counters).since(&before_far);
        assert_eq!(over_there.resets(), []);
    });
}

fn data_for_a_crowd_of_closed_connections_is_reset() {
    const COUNT: usize = 100;
    for seconds in [60, 90] {
        Netns::run(|near| {
            near.set_fin_timeout(seconds);
            let other = Far::connect().expect("a far namespace");
            let listener = other.run(|_| crowd::listen(FAR, COUNT));
            let mut actor = Actor::spawn();
            let before = near.counters();
            let crowd = Crowd::closed_by(&mut actor, &listener, COUNT);
            let minisockets = crowd.minisockets;
            assert_eq!(minisockets == 0, seconds > 60, "{minisockets} minisockets with {seconds} s");
            assert!(crowd.acts.iter().all(|act| act.pid == actor.pid()));
            crowd.write_after(Duration::ZERO, 100);
            let raised = near.counters().since(&before);
            assert_eq!(raised.tcp("OutRsts"), COUNT as u64);
            assert_eq!(raised.tcp_ext("TCPAbortOnData"), (COUNT - minisockets) as u64);
        });
    }
}

fn a_delay_is_kept() {
    const DELAY: Duration = Duration::from_millis(20);
    Netns::run(|_| {
        let other = Far::connect().expect("a far namespace");
        other.delay(DELAY).expect("netem");
        let listener = other.run(|_| TcpListener::bind((FAR, 0)).unwrap());
        let start = Instant::now();
        let Pair { client, server } = Pair::through(&listener);
        assert!(start.elapsed() >= DELAY, "{:?}", start.elapsed());
        drop(server);
        assert_eq!((&client).read(&mut [0]).unwrap(), 0);
    });
}

fn a_connection_is_ended_from_outside() {
    Netns::run(|namespace| {
        let mut killer = Actor::spawn();
        let Pair { client, server } = Pair::connect(Family::V4);
        let before = namespace.counters();
        kill(&mut killer, &client);
        sock::wait_state(&client, State::Close);
        sock::wait_state(&server, State::Close);
        assert_eq!(namespace.counters().since(&before).resets(), [("OutRsts", 1)]);
    });
}

fn kill(killer: &mut Actor, stream: &TcpStream) {
    let ends: [SocketAddr; 2] = [stream.local_addr().unwrap(), stream.peer_addr().unwrap()];
    killer.play(&format!("kill {} {}", ends[0], ends[1]));
}

fn a_close_without_memory_raises_abort_on_memory_once() {
    let _limit = scarce::NoOrphans::begin();
    Netns::run(|namespace| {
        let before = namespace.counters();
        let _peers = scarce::out_of_memory();
        let raised = namespace.counters().since(&before);
        assert_eq!(raised.tcp_ext("TCPAbortOnMemory"), 1);
        // In 5.10 the peer's answer to our FIN comes after the end of the socket, and is reset too.
        assert!([1, 2].contains(&raised.tcp("OutRsts")), "{:?}", raised.resets());
    });
}
