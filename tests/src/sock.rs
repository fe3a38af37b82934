//! Socket state and options that the standard library does not have.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use std::{io, mem};

use socket2::SockRef;

use crate::deadline::until;

/// TCP states as the kernel numbers them (include/net/tcp_states.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Data flows both ways.
    Established = 1,
    /// Our SYN has no answer yet.
    SynSent = 2,
    /// Our FIN is acknowledged, the peer may still send.
    FinWait2 = 5,
    /// No connection, for instance after the peer's RST.
    Close = 7,
    /// The peer's FIN came in.
    CloseWait = 8,
}

/// Waits until the connection is in `state`.
pub fn wait_state(stream: &TcpStream, state: State) {
    until(&format!("state {state:?}"), || tcp_state(stream) == state as u8);
}

/// Waits until exactly `bytes` can be read.
pub fn wait_readable(stream: &TcpStream, bytes: u64) {
    let readable = || rustix::io::ioctl_fionread(stream).expect("FIONREAD");
    until(&format!("{bytes} readable bytes"), || readable() == bytes);
}

/// Waits until the peer's kernel has acknowledged all we sent: it is in its receive queue then, or was read.
pub fn wait_acknowledged(stream: &TcpStream) {
    until("the peer's kernel to take all data", || {
        let mut waiting: c_int = 0;
        // SAFETY: SIOCOUTQ (the same number as TIOCOUTQ) writes one int.
        let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut waiting) };
        assert_eq!(result, 0, "SIOCOUTQ: {}", io::Error::last_os_error());
        waiting == 0
    });
}

/// SO_LINGER on with zero seconds: close sends RST.
pub fn linger_zero(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
}

/// TCP_LINGER2: how long an orphan stays in FIN_WAIT2; negative means that close sends RST there.
pub fn linger2(stream: &TcpStream, seconds: c_int) {
    set_option(stream, libc::IPPROTO_TCP, libc::TCP_LINGER2, seconds).expect("TCP_LINGER2");
}

/// SO_KEEPALIVE that gives a silent peer up after two seconds: one probe after one, the end one later.
pub fn keep_alive_two_seconds(stream: &TcpStream) {
    let options = [
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    ];
    for (level, option) in options {
        set_option(stream, level, option, 1).expect("keepalive");
    }
}

/// TCP_QUICKACK: spares the next acknowledgement its delay of 40 ms.
pub fn acknowledge_at_once(stream: &TcpStream) {
    set_option(stream, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 1).expect("TCP_QUICKACK");
}

/// SO_RCVBUF beyond `net.core.rmem_max`, where this process may.
pub(crate) fn force_receive_buffer(socket: &impl AsFd, bytes: usize) {
    let bytes = c_int::try_from(bytes).unwrap();
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
        .expect("SO_RCVBUF");
}

/// `connect` to AF_UNSPEC, the call that takes a connection down and keeps the socket.
pub fn disconnect(stream: &TcpStream) {
    // SAFETY: sockaddr is plain data; zero is AF_UNSPEC.
    let nowhere: libc::sockaddr = unsafe { mem::zeroed() };
    let length = mem::size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `nowhere`.
    let result = unsafe { libc::connect(stream.as_raw_fd(), &raw const nowhere, length) };
    assert_eq!(result, 0, "connect AF_UNSPEC: {}", io::Error::last_os_error());
}

fn tcp_state(stream: &TcpStream) -> u8 {
    // SAFETY: tcp_info is plain data.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = mem::size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let result = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length)
    };
    assert_eq!(result, 0, "TCP_INFO: {}", io::Error::last_os_error());
    info.tcpi_state
}

fn set_option(socket: &impl AsFd, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    let length = mem::size_of_val(&value) as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one int.
    let result = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
