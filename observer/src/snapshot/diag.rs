//! The TCP sockets of a network namespace, as sock_diag(7) tells them: queues, and how long ago data came.

use std::{fs::File, io, net::SocketAddr, os::fd::AsFd as _, thread, time::Duration};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{
        ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
        nlas::{Nla, TcpInfo},
    },
};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::state::State;

/// How long the kernel may take for one part of its answer: it answers within the call.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Inode of its network namespace.
    pub(super) netns: u32,
    pub(super) state: State,
    pub(super) local: SocketAddr,
    /// All zeroes for a listener.
    pub(super) peer: SocketAddr,
    /// 0 when no process holds it.
    pub(super) inode: u64,
    /// Sequence numbers that were received and not read, a FIN's included; of a listener, connections not accepted.
    pub(super) received: u32,
    /// Sequence numbers that were written and not acknowledged, a FIN's included.
    pub(super) written: u32,
    /// Time since data came last, or since the connection was made.
    pub(super) last_received: Option<Duration>,
}

/// The sockets of the namespace that a file stands for, or of the calling thread's own.
///
/// # Errors
/// When the namespace may not be entered, or the kernel has no sock_diag for TCP.
pub(super) fn sockets(netns: u32, namespace: Option<File>) -> io::Result<Vec<Entry>> {
    let socket = match namespace {
        // A socket belongs for good to the namespace that it was made in; the thread that went there ends.
        Some(file) => thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Socket::new(NETLINK_SOCK_DIAG)
            })?
            .join()
            .map_err(|_| io::Error::other("the thread that enters it has failed"))??,
        None => Socket::new(NETLINK_SOCK_DIAG)?,
    };
    rustix::net::sockopt::set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
    let mut entries = Vec::new();
    for family in [AF_INET, AF_INET6] {
        match dump(&socket, family, netns, &mut entries) {
            // The kernel has no IPv6.
            Err(error) if family == AF_INET6 && error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel has no tcp_diag: load that module"));
            }
            dumped => dumped?,
        }
    }
    Ok(entries)
}

fn dump(socket: &Socket, family: u8, netns: u32, entries: &mut Vec<Entry>) -> io::Result<()> {
    let states = State::ALL.iter().fold(0, |bits, state| bits | 1 << state.number());
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::from_bits_truncate(states),
        socket_id: if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() },
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    loop {
        let (answer, _) = socket.recv_from_full()?;
        if take(&answer, netns, entries)? {
            return Ok(());
        }
    }
}

/// Takes the messages of one answer; whether it was the last one. Sockets that make no sense are left out.
fn take(mut answer: &[u8], netns: u32, entries: &mut Vec<Entry>) -> io::Result<bool> {
    /// `struct nlmsghdr`.
    const HEADER: usize = 16;
    while answer.len() >= HEADER {
        let length = u32::from_ne_bytes([answer[0], answer[1], answer[2], answer[3]]) as usize;
        let Some(bytes) = answer.get(..length).filter(|bytes| bytes.len() >= HEADER) else { break };
        if let Ok(message) = NetlinkMessage::<Answer>::deserialize(bytes) {
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(Answer(Some(response))) => entries.extend(entry(netns, &response)),
                _ => {}
            }
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// An answer; None for one that cannot be read.
struct Answer(Option<Box<InetResponse>>);

impl NetlinkDeserializable for Answer {
    type Error = std::convert::Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(match SockDiagMessage::deserialize(header, payload) {
            Ok(SockDiagMessage::InetResponse(response)) => Some(response),
            _ => None,
        }))
    }
}

fn entry(netns: u32, response: &InetResponse) -> Option<Entry> {
    let header = &response.header;
    let id = &header.socket_id;
    let end = |address: std::net::IpAddr, port| SocketAddr::new(address.to_canonical(), port);
    let info: Option<&TcpInfo> = response.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(info) => Some(info),
        _ => None,
    });
    let state = State::of(header.state)?;
    Some(Entry {
        netns,
        state,
        local: end(id.source_address, id.source_port),
        peer: end(id.destination_address, id.destination_port),
        inode: u64::from(header.inode),
        received: header.recv_queue,
        written: header.send_queue,
        last_received: info
            .filter(|_| state != State::Listen)
            .map(|info| Duration::from_millis(u64::from(info.last_data_recv))),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        net::{TcpListener, TcpStream},
        os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    };

    use super::*;

    #[test]
    fn the_kernel_tells_of_our_own_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"nobody reads this").unwrap();
        server.peek(&mut [0; 17]).unwrap();
        let inode = std::fs::metadata(format!("/proc/self/fd/{}", server.as_raw_fd())).unwrap().ino();
        let entries = sockets(1, None).unwrap();
        let entry = entries.iter().find(|entry| entry.inode == inode).unwrap();
        assert_eq!((entry.netns, entry.state, entry.received), (1, State::Established, 17));
        assert_eq!((entry.local, entry.peer), (server.local_addr().unwrap(), client.local_addr().unwrap()));
        assert!(entry.last_received.unwrap() < Duration::from_secs(60), "{entry:?}");
        let is_listener =
            |entry: &&Entry| entry.state == State::Listen && entry.local == listener.local_addr().unwrap();
        assert_eq!(entries.iter().filter(is_listener).count(), 1);
    }

    #[test]
    fn any_answer_is_taken_without_a_panic() {
        let mut entries = Vec::new();
        let mut answer = vec![0_u8; 200];
        answer[0] = 200;
        answer[4] = 20;
        for length in 0..answer.len() {
            assert!(!take(&answer[..length], 1, &mut entries).unwrap());
        }
        answer[16] = AF_INET;
        for filler in 0..=u8::MAX {
            answer[17..].fill(filler);
            let _ = take(&answer, 1, &mut entries);
        }
    }
}
