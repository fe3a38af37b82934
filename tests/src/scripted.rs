//! A TCP peer without a mind of its own: it sends what the test says, and acknowledges only when told to.

use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::segment::{ACK, RST, SYN, Segment};
use crate::tun::Tun;

/// Where the scripted peer's sequence numbers begin.
const START: u32 = 1_000_000;

/// The far end of one connection.
pub struct Scripted<'tun> {
    tun: &'tun Tun,
    /// Its own address.
    pub address: SocketAddrV4,
    /// The address of the real socket.
    pub real: SocketAddrV4,
    /// The next sequence number to send.
    pub next: u32,
    /// What it says to have received: all before this.
    pub acknowledged: u32,
    /// What the real socket has sent: all before this.
    pub seen: u32,
    /// The window it offers.
    pub window: u16,
}

impl<'tun> Scripted<'tun> {
    /// One that has said nothing yet to an address of this machine.
    pub fn new(tun: &'tun Tun, real: SocketAddrV4) -> Self {
        Self { tun, address: tun.unused(), real, next: START, acknowledged: 0, seen: 0, window: u16::MAX }
    }

    /// One that begins another connection between the same ends.
    pub fn again(&self) -> Self {
        Self { address: self.address, ..Self::new(self.tun, self.real) }
    }

    /// A real socket that has just begun to connect, and the one it calls, which has its SYN.
    pub fn called(tun: &'tun Tun) -> (TcpStream, Self) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("non-blocking");
        let address = tun.unused();
        let error = socket.connect(&SocketAddr::from(address).into()).expect_err("nobody answers yet");
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
        socket.set_nonblocking(false).expect("blocking");
        (socket.into(), Self::awaiting(tun, address))
    }

    /// The one behind an address of `tun` that somebody is calling.
    pub fn awaiting(tun: &'tun Tun, address: SocketAddrV4) -> Self {
        let mut peer = Self { address, ..Self::new(tun, address) };
        let syn = loop {
            let segment = tun.receive();
            if segment.to == address && segment.has(SYN) {
                break segment;
            }
        };
        peer.real = syn.from;
        (peer.acknowledged, peer.seen) = (syn.end(), syn.end());
        peer
    }

    /// Answers a call: the connection is there.
    pub fn answer(&mut self) {
        self.send(SYN | ACK, &[]);
        self.receive(|segment| segment.flags == ACK);
    }

    /// A connection that a real socket made.
    pub fn accept(tun: &'tun Tun) -> (TcpStream, Self) {
        let (stream, mut peer) = Self::called(tun);
        peer.answer();
        (stream, peer)
    }

    /// A connection that the scripted peer made, accepted.
    pub fn connect(tun: &'tun Tun, listener: &TcpListener) -> (TcpStream, Self) {
        let SocketAddr::V4(real) = listener.local_addr().expect("an address") else { panic!("not IPv4") };
        let mut peer = Self::new(tun, real);
        peer.call();
        peer.acknowledge();
        (listener.accept().expect("accept").0, peer)
    }

    /// Sends SYN and takes the SYN that answers.
    pub fn call(&mut self) {
        self.send(SYN, &[]);
        self.acknowledged = self.receive(|segment| segment.has(SYN | ACK)).end();
    }

    /// Sends the next segment.
    pub fn send(&mut self, flags: u8, payload: &[u8]) {
        self.next = self.send_at(self.next, flags, payload);
    }

    /// Sends a segment that begins anywhere, and returns where it ends.
    pub fn send_at(&self, seq: u32, flags: u8, payload: &[u8]) -> u32 {
        let segment = Segment {
            from: self.address,
            to: self.real,
            flags,
            seq,
            ack: if flags & ACK == 0 { 0 } else { self.acknowledged },
            window: self.window,
            payload: payload.to_vec(),
        };
        self.tun.send(&segment);
        segment.end()
    }

    /// Acknowledges all that it has seen.
    pub fn acknowledge(&mut self) {
        self.acknowledged = self.seen;
        self.send(ACK, &[]);
    }

    /// The next segment of this connection that `wanted` accepts; the others are passed over, yet seen.
    pub fn receive(&mut self, wanted: impl Fn(&Segment) -> bool) -> Segment {
        loop {
            let segment = self.tun.receive();
            if (segment.from, segment.to) != (self.real, self.address) {
                continue;
            }
            // A RST may stand anywhere.
            if !segment.has(RST) {
                self.seen = segment.end();
            }
            if wanted(&segment) {
                return segment;
            }
        }
    }

    /// The RST that the kernel sends for this connection.
    pub fn receive_reset(&mut self) -> Segment {
        self.receive(|segment| segment.has(RST))
    }
}
