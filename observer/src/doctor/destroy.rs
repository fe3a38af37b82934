//! SOCK_DESTROY over netlink: kills a connection, as `ss -K` does.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
};

use super::netns::socket;

/// `include/uapi/linux/netlink.h`, `sock_diag.h`, `inet_diag.h`.
const SOCK_DESTROY: u16 = 21;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const NLMSG_ERROR: u16 = 2;

/// Length of `nlmsghdr` and of `inet_diag_req_v2` behind it.
const HEADER: usize = 16;
const REQUEST: usize = 56;

/// Kills this end of a connection. This process needs CAP_NET_ADMIN, the kernel CONFIG_INET_DIAG_DESTROY.
///
/// # Errors
/// The kernel's answer; `Unsupported` where it cannot kill sockets.
pub(crate) fn destroy(stream: &TcpStream) -> io::Result<()> {
    let mut netlink = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG)?;
    netlink.write_all(&message(stream.local_addr()?, stream.peer_addr()?))?;
    // The kernel answers within the write.
    let mut answer = [0; 512];
    let length = netlink.read(&mut answer)?;
    match errno(&answer[..length]) {
        Some(0) => Ok(()),
        // The caller has the socket: what is not there is the handler.
        Some(errno) if -errno == libc::ENOENT => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel has no tcp_diag: load that module"))
        }
        Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without an error code")),
    }
}

/// The code of an NLMSG_ERROR: zero, or an errno below zero.
fn errno(answer: &[u8]) -> Option<i32> {
    let kind: [u8; 2] = answer.get(4..6)?.try_into().ok()?;
    let code: [u8; 4] = answer.get(HEADER..HEADER + 4)?.try_into().ok()?;
    (u16::from_ne_bytes(kind) == NLMSG_ERROR).then(|| i32::from_ne_bytes(code))
}

fn message(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(((HEADER + REQUEST) as u32).to_ne_bytes());
    bytes.extend(SOCK_DESTROY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    bytes.extend([0; 8]); // sequence number, port of the sender
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes()); // any state
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(peer.port().to_be_bytes());
    bytes.extend(octets(local.ip()));
    bytes.extend(octets(peer.ip()));
    bytes.extend([0; 4]); // any interface
    bytes.extend([0xff; 8]); // INET_DIAG_NOCOOKIE
    bytes
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_long_as_it_says() {
        let message = message("127.0.0.1:80".parse().unwrap(), "127.0.0.1:4242".parse().unwrap());
        assert_eq!(message.len(), HEADER + REQUEST);
        assert_eq!(message[..4], 72_u32.to_ne_bytes());
        assert_eq!(message[24..28], [0, 80, 0x10, 0x92]);
    }

    #[test]
    fn a_short_answer_has_no_code() {
        assert_eq!(errno(&[0; 8]), None);
    }
}
