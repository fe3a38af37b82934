//! Multipath TCP: a connection of one subflow, closed with unread data.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

use crate::act::Act;
use crate::counters::Counters;
use crate::sock;

/// The kernel's subflows are reset in a "fast close" when what was received is not read. The unread bytes wait in the
/// Multipath TCP socket, not in the subflow, which holds none.
pub fn close_unread() -> io::Result<Act> {
    let listener = socket()?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(1)?;
    let client = socket()?;
    client.connect(&listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    let (client, mut server) = (TcpStream::from(client), TcpStream::from(server));
    server.write_all(b"unread")?;
    sock::wait_readable(&client, 6);
    let act = Act::of(&client, 0);
    drop(client);
    Ok(act)
}

fn socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(libc::IPPROTO_MPTCP)))
}

/// Whether that gives a RST on this kernel.
pub(crate) fn probe() -> io::Result<()> {
    let before = Counters::read();
    close_unread()?;
    match Counters::read().since(&before).tcp("OutRsts") {
        0 => Err(io::Error::other("no RST went out")),
        _ => Ok(()),
    }
}
