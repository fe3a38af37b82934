//! Netlink requests, built attribute by attribute: links and queues (rtnetlink), and the end of a socket (sock_diag).

use std::ffi::c_int;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{io, mem};

use crate::link::check;

/// Length, type, flags, sequence number and port id of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A request, complete but for its length.
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// A request of this type with its fixed part. It is acknowledged, so that its failure is known.
    pub(crate) fn new(kind: u16, flags: c_int, fixed: &[u8]) -> Self {
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.resize(HEADER, 0);
        let mut request = Self(bytes);
        request.put(fixed);
        request
    }

    /// Bytes without a header, as a nested structure begins with.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// One attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |request| request.0.extend(value));
        self.put(&[]);
    }

    /// An attribute that consists of what `content` adds.
    pub(crate) fn nest(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        content(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Sends it in the calling thread's namespace, and waits for the answer.
    pub(crate) fn send(mut self, protocol: c_int) -> io::Result<()> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
        check(fd)?;
        // SAFETY: just opened, owned by nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        rustix::net::send(&socket, &self.0, rustix::net::SendFlags::empty())?;
        let mut answer = [0_u8; 4096];
        // SAFETY: the kernel writes at most the answer's length.
        let read = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), mem::size_of_val(&answer), 0) };
        let word = |at: usize| i32::from_ne_bytes([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]]);
        assert!(read >= 20 && answer[4] == libc::NLMSG_ERROR as u8, "an acknowledgement: {read} bytes");
        match word(HEADER) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }
}
