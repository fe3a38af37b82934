//! Closes that are findings: each sends RST, or leaves data behind on a socket that the peer reset before.

use std::io::Write;
use std::net::TcpStream;

use socket2::{Domain, Socket, Type};

use crate::act::Act;
use crate::pair::{Family, Pair, Side};
use crate::sock::{self, State};

/// Unread bytes of the act that marks the end of a test's forbidden acts.
pub const FENCE: u64 = 7;

/// A connection with exactly `bytes` waiting at the end that is to close, and its peer.
pub fn with_unread(family: Family, closing: Side, bytes: u64) -> (TcpStream, TcpStream) {
    let (closing, mut peer) = Pair::roomy(family, bytes).split(closing);
    leave_unread(&closing, &mut peer, bytes);
    (closing, peer)
}

fn leave_unread(closing: &TcpStream, peer: &mut TcpStream, bytes: u64) {
    peer.write_all(&vec![b'x'; usize::try_from(bytes).unwrap()]).expect("send");
    sock::wait_readable(closing, bytes);
}

/// `close_unread`: closes with `bytes` in the receive queue. Stacks are to have it as a function of its own.
#[inline(never)]
pub fn unread(family: Family, side: Side, bytes: u64) -> Act {
    close(with_unread(family, side, bytes), bytes)
}

/// The same on a given connection.
pub fn unread_on(pair: Pair, side: Side, bytes: u64) -> Act {
    let (closing, mut peer) = pair.split(side);
    leave_unread(&closing, &mut peer, bytes);
    close((closing, peer), bytes)
}

/// A small unread close by the client, over IPv4.
pub fn fence() -> Act {
    unread(Family::V4, Side::Client, FENCE)
}

/// `close_unread` after the peer's FIN: the FIN takes a sequence number, yet is no byte.
pub fn unread_behind_fin(family: Family, bytes: u64) -> Act {
    let (closing, peer) = with_unread(family, Side::Client, bytes);
    drop(peer);
    sock::wait_state(&closing, State::CloseWait);
    let act = Act::of(&closing, bytes);
    drop(closing);
    act
}

/// `linger_zero`: SO_LINGER with zero seconds and an empty queue.
pub fn linger_zero(family: Family, side: Side) -> Act {
    let (closing, peer) = Pair::connect(family).split(side);
    sock::linger_zero(&closing);
    close((closing, peer), 0)
}

/// `close_unread` all the same: the kernel looks at the queue before it looks at SO_LINGER.
pub fn unread_with_linger_zero(bytes: u64) -> Act {
    let (closing, peer) = with_unread(Family::V4, Side::Client, bytes);
    sock::linger_zero(&closing);
    close((closing, peer), bytes)
}

/// `disconnect`: connect to AF_UNSPEC. The close that follows finds nothing to do.
pub fn disconnect(family: Family) -> Act {
    let pair = Pair::connect(family);
    let act = Act::of(&pair.client, 0);
    sock::disconnect(&pair.client);
    act
}

/// `linger2_timeout`: close in FIN_WAIT2 with a negative TCP_LINGER2.
pub fn linger2(family: Family) -> Act {
    let pair = Pair::connect(family);
    sock::linger2(&pair.client, -1);
    pair.client.shutdown(std::net::Shutdown::Write).expect("shutdown");
    sock::wait_state(&pair.client, State::FinWait2);
    close((pair.client, pair.server), 0)
}

/// The peer sends `bytes`, then resets (first act, `linger_zero`); then we close (second act): data is lost, but no RST
/// of ours goes out.
pub fn peer_reset(bytes: u64) -> [Act; 2] {
    let (closing, peer) = with_unread(Family::V4, Side::Client, bytes);
    let (ours, theirs) = (Act::of(&closing, bytes), Act::of(&peer, 0));
    sock::linger_zero(&peer);
    drop(peer);
    sock::wait_state(&closing, State::Close);
    drop(closing);
    [theirs, ours]
}

/// `listener_close`: a connection nobody accepted dies with its listener.
pub fn listener_with_waiting_connection() -> Act {
    let listener = std::net::TcpListener::bind(Family::V4.loopback()).expect("listen");
    let client = TcpStream::connect(listener.local_addr().unwrap()).expect("connect");
    let mut act = Act::of(&client, 0);
    (act.local, act.peer) = (act.peer, act.local);
    drop(listener);
    act
}

/// `listener_close` for `count` connections that nobody accepted. Gives also their far ends, which have been reset.
pub fn listener_with(count: usize) -> (Vec<Act>, Vec<TcpStream>) {
    let listener = crate::crowd::listen(std::net::Ipv4Addr::LOCALHOST, count);
    let address = listener.local_addr().expect("an address").as_socket().expect("IP");
    let clients: Vec<TcpStream> = (0..count).map(|_| TcpStream::connect(address).expect("connect")).collect();
    let acts = clients.iter().map(|client| Act::at(address, client.local_addr().unwrap())).collect();
    drop(listener);
    clients.iter().for_each(|client| sock::wait_state(client, State::Close));
    (acts, clients)
}

fn close((closing, peer): (TcpStream, TcpStream), unread: u64) -> Act {
    let act = Act::of(&closing, unread);
    drop(closing);
    drop(peer);
    act
}

/// The peer closes in order, we write all the same and are reset for it, then we close. One clean close: the peer's.
pub fn reset_after_fin() {
    let Pair { mut client, server } = Pair::connect(Family::V4);
    drop(server);
    sock::wait_state(&client, State::CloseWait);
    client.write_all(b"too late").expect("send");
    sock::wait_state(&client, State::Close);
}

/// Connections in SYN_SENT: the queue of their listener, which is given too, is full.
pub fn pending_connections(count: usize) -> (Vec<TcpStream>, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&Family::V4.loopback().into()).expect("bind");
    listener.listen(0).expect("listen");
    let address = listener.local_addr().expect("an address");
    let connect = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("non-blocking");
        // EINPROGRESS, or done at once.
        let _ = socket.connect(&address);
        socket
    };
    // A queue of zero still takes one connection.
    let mut keep = vec![connect()];
    sock::wait_state(&TcpStream::from(keep[0].try_clone().expect("a copy")), State::Established);
    keep.push(listener);
    let waiting = (0..count).map(|_| TcpStream::from(connect())).collect();
    (waiting, keep)
}
