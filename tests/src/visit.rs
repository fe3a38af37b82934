//! Visits: connections for one request and its answer, ended in every way that the observer tells apart.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::pair::{Family, Pair};
use crate::sock::{self, State};

/// Bytes of a request.
pub const REQUEST: u64 = 70;

/// Bytes of an answer.
pub const ANSWER: u64 = 100;

/// How a visit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closes, the server follows.
    ByClient,
    /// The server closes, the client follows.
    ByServer,
    /// The client closes with the answer unread: RST.
    Unread,
    /// The client closes with a linger time of zero: RST.
    LingerZero,
    /// The client half-closes and waits for the server's end before it closes.
    HalfClosed,
    /// The server closes; the client half-closes, and closes when all is over.
    HalfClosedAfterServer,
    /// The client shuts down both directions, then closes.
    ShutDown,
    /// The client half-closes, then closes while the server could still send.
    ClosedWhileHalfClosed,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ByClient,
        Self::ByServer,
        Self::Unread,
        Self::LingerZero,
        Self::HalfClosed,
        Self::HalfClosedAfterServer,
        Self::ShutDown,
        Self::ClosedWhileHalfClosed,
    ];
}

/// A listener for visits.
pub fn listen(family: Family) -> TcpListener {
    TcpListener::bind(family.loopback()).expect("listen")
}

/// Makes `count` visits to `listener`, one after the other.
pub fn make(listener: &TcpListener, end: End, count: u64) {
    for _ in 0..count {
        visit(listener, end);
    }
}

/// One request and its answer.
pub fn exchange(pair: &mut Pair) {
    ask(pair);
    pair.client.read_exact(&mut [0; ANSWER as usize]).expect("an answer");
}

/// One request; the answer waits.
fn ask(Pair { client, server }: &mut Pair) {
    client.write_all(&[b'q'; REQUEST as usize]).expect("send");
    server.read_exact(&mut [0; REQUEST as usize]).expect("a request");
    server.write_all(&[b'a'; ANSWER as usize]).expect("send");
    sock::wait_readable(client, ANSWER);
}

/// Makes `count` visits in which the client asks for nothing, and the server so never reads.
pub fn be_greeted(listener: &TcpListener, count: u64) {
    for _ in 0..count {
        let Pair { mut client, mut server } = Pair::through(listener);
        server.write_all(&[b'a'; ANSWER as usize]).expect("send");
        client.read_exact(&mut [0; ANSWER as usize]).expect("a greeting");
        drop(client);
        expect_end(&mut server);
    }
}

fn visit(listener: &TcpListener, end: End) {
    let mut pair = Pair::through(listener);
    if end == End::Unread {
        ask(&mut pair)
    } else {
        exchange(&mut pair)
    }
    let Pair { mut client, mut server } = pair;
    match end {
        End::ByClient => {
            drop(client);
            expect_end(&mut server);
        }
        End::ByServer => {
            drop(server);
            expect_end(&mut client);
        }
        End::Unread => {
            drop(client);
            sock::wait_state(&server, State::Close);
        }
        End::LingerZero => {
            sock::linger_zero(&client);
            drop(client);
            sock::wait_state(&server, State::Close);
        }
        End::HalfClosed => {
            client.shutdown(Shutdown::Write).expect("shutdown");
            expect_end(&mut server);
            drop(server);
            expect_end(&mut client);
            sock::wait_state(&client, State::Close);
        }
        End::HalfClosedAfterServer => {
            drop(server);
            expect_end(&mut client);
            client.shutdown(Shutdown::Write).expect("shutdown");
            sock::wait_state(&client, State::Close);
        }
        End::ShutDown => {
            client.shutdown(Shutdown::Both).expect("shutdown");
            expect_end(&mut server);
            drop(client);
        }
        End::ClosedWhileHalfClosed => {
            client.shutdown(Shutdown::Write).expect("shutdown");
            expect_end(&mut server);
            sock::wait_state(&client, State::FinWait2);
            drop(client);
        }
    }
}

fn expect_end(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).expect("EOF"), 0);
}
