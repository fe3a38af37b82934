//! One connection over loopback with both of its ends in hand.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::deadline::DEADLINE;
use crate::sock;

/// Which addresses a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Two `AF_INET` sockets.
    V4,
    /// Two `AF_INET6` sockets with IPv6 addresses.
    V6,
    /// Two `AF_INET6` sockets that talk IPv4 (`::ffff:127.0.0.1`), to be shown as IPv4.
    V4Mapped,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::V4Mapped];

    /// The loopback address and a port of the kernel's choice.
    pub fn loopback(self) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::LOCALHOST, 0).into(),
            Self::V6 => (Ipv6Addr::LOCALHOST, 0).into(),
            Self::V4Mapped => (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 0).into(),
        }
    }
}

/// Who closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

impl Side {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// As in `network.role`.
    pub fn role(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Both ends of an established connection. Its listener is closed already.
pub struct Pair {
    /// The end that connected.
    pub client: TcpStream,
    /// The end that accepted.
    pub server: TcpStream,
}

impl Pair {
    /// A new connection over loopback.
    pub fn connect(family: Family) -> Self {
        Self::between(family.loopback(), None)
    }

    /// A connection whose receive queues hold `bytes` without being read.
    pub fn roomy(family: Family, bytes: u64) -> Self {
        // The kernel charges whole pages: four times the payload is ample, and twice the value is what it sets.
        let size = usize::try_from(bytes).unwrap() * 2;
        Self::between(family.loopback(), (size > 65_536).then_some(size))
    }

    /// A new connection to `address`.
    pub fn to(address: SocketAddr) -> Self {
        Self::between(address, None)
    }

    /// A new connection through a listener that already is there.
    pub fn through(listener: &TcpListener) -> Self {
        let client = TcpStream::connect(listener.local_addr().unwrap()).expect("connect");
        Self::accepted(client, listener)
    }

    fn between(address: SocketAddr, receive_buffer: Option<usize>) -> Self {
        let listening = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        let connecting = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        if let Some(size) = receive_buffer {
            // Before the handshake, which fixes the window scale.
            sock::force_receive_buffer(&listening, size);
            sock::force_receive_buffer(&connecting, size);
        }
        listening.bind(&address.into()).expect("bind");
        listening.listen(16).expect("listen");
        let to = listening.local_addr().expect("an address");
        connecting.connect(&to).expect("connect");
        Self::accepted(connecting.into(), &listening.into())
    }

    fn accepted(client: TcpStream, listener: &TcpListener) -> Self {
        let (server, _) = listener.accept().expect("accept");
        for stream in [&client, &server] {
            stream.set_write_timeout(Some(DEADLINE)).expect("a write timeout");
            stream.set_read_timeout(Some(DEADLINE)).expect("a read timeout");
        }
        Self { client, server }
    }

    /// The end that is to close, and its peer.
    pub fn split(self, closing: Side) -> (TcpStream, TcpStream) {
        match closing {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        }
    }
}
