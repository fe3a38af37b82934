//! Closes that are no finding. The observer must be silent about each.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::act::Act;
use crate::pair::{Family, Pair, Side};
use crate::sock::{self, State};

/// `first` closes, the other end reads EOF and closes. Returns both closes in order.
pub fn close(family: Family, first: Side) -> [Act; 2] {
    let (first, mut second) = Pair::connect(family).split(first);
    let acts = [Act::of(&first, 0), Act::of(&second, 0)];
    drop(first);
    assert_eq!(second.read(&mut [0; 1]).expect("EOF"), 0);
    drop(second);
    acts
}

/// The peer sent data and closed; the data was read, the EOF never was.
pub fn eof_not_read(family: Family) -> Act {
    let Pair { mut client, mut server } = Pair::connect(family);
    server.write_all(&[1; 100]).expect("send");
    drop(server);
    client.read_exact(&mut [0; 100]).expect("receive");
    sock::wait_state(&client, State::CloseWait);
    Act::of(&client, 0)
}

/// A listener that nobody called.
pub fn listener() {
    drop(TcpListener::bind(Family::V4.loopback()).expect("listen"));
}

/// `shutdown(SHUT_RDWR)`, the peer follows, then close.
pub fn shutdown_then_close() {
    let Pair { client, mut server } = Pair::connect(Family::V4);
    client.shutdown(Shutdown::Both).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    drop(server);
    drop(client);
}

/// Half-closed, then closed while the peer still could send: the hardest clean close to see, no state changes in it.
pub fn close_after_half_close() -> Act {
    let Pair { client, mut server } = Pair::connect(Family::V4);
    client.shutdown(Shutdown::Write).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    sock::wait_state(&client, State::FinWait2);
    let act = Act::of(&client, 0);
    drop(client);
    drop(server);
    act
}

/// Both ends are finished, and the client, past all states, is still open.
pub fn ended() -> Pair {
    let Pair { client, mut server } = Pair::connect(Family::V4);
    client.shutdown(Shutdown::Write).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    server.shutdown(Shutdown::Write).expect("shutdown");
    sock::wait_state(&client, State::Close);
    Pair { client, server }
}

/// Both ends are finished, the socket is past all states, and only then is it closed.
pub fn close_after_the_end() -> Act {
    let Pair { client, mut server } = Pair::connect(Family::V4);
    client.shutdown(Shutdown::Write).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    // Past its end a socket no longer tells who its peer was.
    let act = Act::of(&client, 0);
    drop(server);
    sock::wait_state(&client, State::Close);
    drop(client);
    act
}

/// A port where nobody listens. The kernel's RST there is nobody's close. Returns the port.
pub fn connection_refused() -> u16 {
    let address = TcpListener::bind(Family::V4.loopback()).and_then(|listener| listener.local_addr()).expect("a port");
    let error = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    address.port()
}
