//! Acts that only the table plays.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::queue;
use conn_observer_tests::sock::{self, State};

use super::World;

/// A process ends with a connection that has unread data.
pub(super) fn unread_at_exit(world: &World, bytes: u64) -> Act {
    let mut actor = Actor::spawn();
    let before = world.namespace.counters();
    let act = actor.play_one(&format!("exit-with {bytes}"));
    assert!(actor.wait().success());
    assert_eq!(world.namespace.counters().since(&before).tcp("OutRsts"), 1);
    act
}

/// The peer is done, all is read, and still the close resets.
pub(super) fn linger_zero_after_fin() -> Act {
    let Pair { client, server } = Pair::connect(Family::V4);
    sock::linger_zero(&client);
    drop(server);
    sock::wait_state(&client, State::CloseWait);
    let act = Act::of(&client, 0);
    drop(client);
    act
}

pub(super) fn disconnect_with_unread(bytes: u64) -> Act {
    let (stream, _peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let act = Act::of(&stream, bytes);
    sock::disconnect(&stream);
    act
}

/// The client of a connection that nobody accepts has written already.
pub(super) fn listener_with_waiting_data(bytes: u64) -> Act {
    let listener = TcpListener::bind(Family::V4.loopback()).expect("listen");
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).expect("connect");
    let act = Act { unread: bytes, ..Act::at(address, client.local_addr().unwrap()) };
    client.write_all(&vec![b'x'; bytes as usize]).unwrap();
    queue::wait_for(address.port(), act.peer.port(), bytes);
    drop(listener);
    act
}

/// Another process ends our connection.
pub(super) fn kill(world: &mut World, bytes: u64) -> Act {
    let mut killer = Actor::spawn();
    let (stream, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let act = Act::of(&stream, bytes).by(killer.pid());
    killer.play(&format!("kill {} {}", act.local, act.peer));
    sock::wait_state(&stream, State::Close);
    world.owner = Some(std::process::id());
    world.keep((act, (stream, peer, killer)))
}
