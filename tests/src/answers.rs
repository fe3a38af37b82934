//! RSTs of this host that no process asked for: a timer gives a peer up, or a segment does not fit.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::act::Act;
use crate::scripted::Scripted;
use crate::segment::{ACK, SYN};
use crate::sock::{self, State};
use crate::tun::{HERE, Tun};

/// `keepalive_timeout`: the peer is silent for two seconds. Gives the dead stream back, still open.
pub fn keepalive(tun: &Tun) -> (Act, TcpStream) {
    let (stream, mut peer) = Scripted::accept(tun);
    sock::keep_alive_two_seconds(&stream);
    let act = Act::of(&stream, 0);
    peer.receive_reset();
    sock::wait_state(&stream, State::Close);
    (act, stream)
}

/// `bad_segment`: an ACK out of nowhere for a listener. Gives the listener too, as it is to blame.
pub fn ack_for_listener(tun: &Tun) -> (Act, TcpListener) {
    let (listener, mut peer) = listener(tun);
    peer.send(ACK, &[]);
    peer.receive_reset();
    (Act::at(peer.real, peer.address), listener)
}

/// `bad_segment`: a handshake that ends with a wrong number.
pub fn wrong_ack_in_handshake(tun: &Tun) -> (Act, TcpListener) {
    let (listener, mut peer) = listener(tun);
    peer.call();
    peer.acknowledged = peer.acknowledged.wrapping_add(1000);
    peer.send(ACK, &[]);
    peer.receive_reset();
    (Act::at(peer.real, peer.address), listener)
}

/// `bad_segment`: an ACK for what we never sent answers our SYN. Gives the stream, which goes on connecting.
pub fn wrong_ack_for_syn(tun: &Tun) -> (Act, TcpStream) {
    let (stream, mut peer) = Scripted::called(tun);
    peer.acknowledged = peer.acknowledged.wrapping_add(1000);
    peer.send(ACK, &[]);
    peer.receive_reset();
    sock::wait_state(&stream, State::SynSent);
    (Act::at(peer.real, peer.address), stream)
}

/// `bad_segment`: a SYN inside an established connection's window is challenged, not answered with RST: no event.
pub fn syn_in_connection(tun: &Tun) -> (Act, TcpStream) {
    let (stream, mut peer) = Scripted::accept(tun);
    peer.send_at(peer.next, SYN, &[]);
    peer.receive(|segment| segment.flags == ACK);
    (Act::of(&stream, 0), stream)
}

fn listener(tun: &Tun) -> (TcpListener, Scripted<'_>) {
    let listener = TcpListener::bind((HERE, 0)).expect("listen");
    let SocketAddr::V4(address) = listener.local_addr().expect("an address") else { panic!("not IPv4") };
    (listener, Scripted::new(tun, address))
}
