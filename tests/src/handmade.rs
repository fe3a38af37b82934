//! Closes whose end depends on a segment at the right moment: the peer is scripted.

use std::io::Read;
use std::net::TcpStream;

use crate::act::Act;
use crate::late::LONG_LINGER2;
use crate::queue;
use crate::scripted::Scripted;
use crate::segment::{ACK, FIN, RST};
use crate::sock::{self, State};
use crate::tun::Tun;

/// Why a connection that was closed in order has no socket any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The peer reset its time-wait minisocket.
    Reset,
    /// The namespace allows no time-wait minisockets (`net.ipv4.tcp_max_tw_buckets`).
    NoneAllowed,
}

/// `close_phantom` where the kernel looks for any payload in the queue: all was read, then the peer sends its FIN
/// together with bytes it had sent before. Kernels that compare with `copied_seq` close in order
/// (see the kernel's packetdrill test `tcp_close_no_rst.pkt`).
pub fn phantom(tun: &Tun) -> Act {
    let (mut stream, mut peer) = Scripted::accept(tun);
    peer.send(ACK, &[b'x'; 500]);
    stream.read_exact(&mut [0; 500]).expect("receive");
    let again = peer.next.wrapping_sub(200);
    peer.send_at(again, FIN | ACK, &[b'x'; 200]);
    sock::wait_state(&stream, State::CloseWait);
    let act = Act::of(&stream, 0);
    drop(stream);
    act
}

/// `data_after_close`: `bytes` for a socket that TCP_LINGER2 keeps whole in FIN_WAIT2.
pub fn late_to_full_socket(tun: &Tun, bytes: usize) -> Act {
    let (stream, mut peer) = Scripted::accept(tun);
    sock::linger2(&stream, LONG_LINGER2);
    let act = close_in_order(stream, &mut peer);
    assert!(!queue::is_minisocket(act.local.port(), act.peer.port()), "it stays whole");
    peer.send(ACK, &vec![b'x'; bytes]);
    peer.receive_reset();
    act
}

/// `data_after_close`, with `bytes` that arrive before the FIN is acknowledged.
pub fn late_to_finwait1(tun: &Tun, bytes: usize) -> Act {
    let (stream, mut peer) = Scripted::accept(tun);
    let act = Act::of(&stream, 0);
    drop(stream);
    peer.receive(|segment| segment.has(FIN));
    peer.send(ACK, &vec![b'x'; bytes]);
    peer.receive_reset();
    act
}

/// `data_after_timewait`: `bytes` for the minisocket that is left in FIN_WAIT2.
pub fn late_to_minisocket(tun: &Tun, bytes: usize) -> Act {
    let (act, mut peer) = minisocket(tun);
    peer.send(ACK, &vec![b'x'; bytes]);
    peer.receive_reset();
    act
}

/// `no_socket` after a close in order.
pub fn late_to_nothing(tun: &Tun, gone: Gone, bytes: usize) -> Act {
    let (act, mut peer) = match gone {
        Gone::Reset => {
            let (act, mut peer) = minisocket(tun);
            peer.send(RST, &[]);
            (act, peer)
        }
        Gone::NoneAllowed => {
            std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0").expect("net.ipv4.tcp_max_tw_buckets");
            let (stream, mut peer) = Scripted::accept(tun);
            let act = Act::of(&stream, 0);
            drop(stream);
            peer.receive(|segment| segment.has(FIN));
            peer.acknowledge();
            (act, peer)
        }
    };
    queue::wait_gone(act.local.port(), act.peer.port());
    peer.send(ACK, &vec![b'x'; bytes]);
    peer.receive_reset();
    act
}

/// `linger2_timeout` that the peer sets off: TCP_LINGER2 is negative when it acknowledges our FIN.
pub fn passive_linger2(tun: &Tun) -> Act {
    let (stream, mut peer) = Scripted::accept(tun);
    sock::linger2(&stream, -1);
    let act = Act::of(&stream, 0);
    drop(stream);
    peer.receive(|segment| segment.has(FIN));
    peer.acknowledge();
    peer.receive_reset();
    act
}

fn minisocket(tun: &Tun) -> (Act, Scripted<'_>) {
    let (stream, mut peer) = Scripted::accept(tun);
    let act = close_in_order(stream, &mut peer);
    assert!(queue::is_minisocket(act.local.port(), act.peer.port()), "it is a minisocket");
    (act, peer)
}

/// Closes, and the peer acknowledges the FIN.
pub(crate) fn close_in_order(stream: TcpStream, peer: &mut Scripted<'_>) -> Act {
    let act = Act::of(&stream, 0);
    drop(stream);
    peer.receive(|segment| segment.has(FIN));
    peer.acknowledge();
    queue::wait_fin_acknowledged(act.local.port(), act.peer.port());
    act
}
