//! `ss -K`: ends a connection of any process from outside (SOCK_DESTROY, net/core/sock_diag.c).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::netlink::Request;

const SOCK_DESTROY: u16 = 21;
/// `INET_DIAG_NOCOOKIE`: whichever socket has the addresses.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// Ends the connection of the calling thread's namespace that has these two ends.
pub fn destroy(local: SocketAddrV4, peer: SocketAddrV4) -> io::Result<()> {
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states (all), then struct inet_diag_sockid.
    let mut fixed = vec![libc::AF_INET as u8, libc::IPPROTO_TCP as u8, 0, 0];
    fixed.extend(u32::MAX.to_ne_bytes());
    fixed.extend([local.port().to_be_bytes(), peer.port().to_be_bytes()].concat());
    for address in [local, peer] {
        fixed.extend(address.ip().octets());
        fixed.extend([0; 12]);
    }
    // Any interface.
    fixed.extend([0; 4]);
    fixed.extend(ANY_COOKIE);
    Request::new(SOCK_DESTROY, 0, &fixed).send(libc::NETLINK_SOCK_DIAG)
}

/// Whether this kernel and this process can: a connection that cannot be is looked for.
pub fn probe() -> io::Result<()> {
    let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    match destroy(nowhere, nowhere) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
