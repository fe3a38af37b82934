//! Resets of connections that still have something to lose in either direction, by a scripted peer or by us.

use std::io::Write;
use std::net::TcpStream;

use crate::act::Act;
use crate::handmade::close_in_order;
use crate::late::LONG_LINGER2;
use crate::scripted::Scripted;
use crate::segment::{ACK, RST};
use crate::sock::{self, State};
use crate::tun::Tun;

/// What is on its way when the peer resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Bytes received and not read.
    pub unread: u16,
    /// Bytes sent and not acknowledged; at most ten segments, which is what may be sent at first.
    pub in_flight: u16,
    /// Bytes written and not sent, as the peer's window has no room.
    pub unsent: u16,
}

/// `reset_by_peer` in ESTABLISHED.
pub fn established(tun: &Tun, lost: Lost) -> (Act, TcpStream) {
    let (mut peer, act, stream) = filled(tun, lost);
    peer.send(RST | ACK, &[]);
    sock::wait_state(&stream, State::Close);
    (act, stream)
}

/// Our own close, with unread data (`close_unread`).
pub fn closed_by_us(tun: &Tun, lost: Lost) -> Act {
    let (mut peer, act, stream) = filled(tun, lost);
    drop(stream);
    peer.receive_reset();
    act
}

/// Our own close with SO_LINGER of zero seconds (`linger_zero`).
pub fn lingering_closed_by_us(tun: &Tun, lost: Lost) -> Act {
    let (mut peer, act, stream) = filled(tun, lost);
    sock::linger_zero(&stream);
    drop(stream);
    peer.receive_reset();
    act
}

fn filled(tun: &Tun, lost: Lost) -> (Scripted<'_>, Act, TcpStream) {
    let (stream, mut peer) = Scripted::called(tun);
    peer.window = lost.in_flight;
    peer.answer();
    let act = fill(&stream, &mut peer, lost);
    (peer, act, stream)
}

/// Brings a connection, whose peer offers `lost.in_flight` of window, to the point where this is lost.
fn fill(mut stream: &TcpStream, peer: &mut Scripted<'_>, lost: Lost) -> Act {
    if lost.unread > 0 {
        peer.send(ACK, &vec![b'x'; lost.unread.into()]);
        sock::wait_readable(stream, lost.unread.into());
    }
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let written = usize::from(lost.in_flight) + usize::from(lost.unsent);
    stream.write_all(&vec![b'y'; written]).expect("send");
    let all_sent = peer.acknowledged.wrapping_add(lost.in_flight.into());
    if lost.in_flight > 0 {
        peer.receive(|segment| !segment.payload.is_empty() && segment.end() == all_sent);
    }
    Act::of(stream, lost.unread.into())
}

/// `connection_refused`: a RST answers the SYN.
pub fn refused(tun: &Tun) -> Act {
    let (stream, mut peer) = Scripted::called(tun);
    let act = Act::at(peer.real, peer.address);
    peer.send(RST | ACK, &[]);
    sock::wait_state(&stream, State::Close);
    act
}

/// `reset_by_peer` after our own close in order: the socket is still whole, and nobody's.
pub fn after_close(tun: &Tun) -> Act {
    let (stream, mut peer) = Scripted::accept(tun);
    sock::linger2(&stream, LONG_LINGER2);
    let act = close_in_order(stream, &mut peer);
    peer.send(RST | ACK, &[]);
    crate::queue::wait_gone(act.local.port(), act.peer.port());
    act
}
