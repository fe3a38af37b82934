//! Sockets of the self-test: connections over loopback, options, and waiting for the kernel's own state. Nothing is
//! paced by time; the deadline is a bound on failure.

use std::{
    ffi::c_int,
    fs,
    io::{self, Read as _},
    mem,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    thread,
    time::{Duration, Instant},
};

use super::netns::check;

/// How long one step of an act may take. Generous: guests without hardware help are slow.
const DEADLINE: Duration = Duration::from_secs(10);

/// TCP states (`include/net/tcp_states.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    FinWait2 = 5,
    Close = 7,
}

/// `tr` of a time-wait row in `/proc/net/tcp` (net/ipv4/tcp_ipv4.c, `get_timewait4_sock`).
const TIMEWAIT_TIMER: &str = "03";

/// TCP_FIN_WAIT1 in the same table.
const FIN_WAIT1: &str = "04";

/// A listener on loopback, at a port of the kernel's choice.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A client whose connection waits in the queue of this listener.
pub(crate) fn call(listener: &TcpListener) -> io::Result<TcpStream> {
    let client = connect(listener.local_addr()?)?;
    // Until the last segment of the handshake has been taken, the listener has nobody to accept.
    let wait = rustix::event::Timespec { tv_sec: DEADLINE.as_secs() as _, tv_nsec: 0 };
    let mut waiting = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
    match rustix::event::poll(&mut waiting, Some(&wait))? {
        0 => Err(late("the connection to reach its listener")),
        _ => Ok(client),
    }
}

/// Connects, within the deadline.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    bounded(stream)
}

/// Both ends of a new connection: client, server.
pub(crate) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = listen()?;
    let client = call(&listener)?;
    let (server, _) = listener.accept()?;
    server.set_nonblocking(false)?;
    Ok((client, bounded(server)?))
}

fn bounded(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// The local port.
pub(crate) fn port(stream: &TcpStream) -> io::Result<u16> {
    Ok(stream.local_addr()?.port())
}

/// Closes this end, while its peer is still open, and gives its port.
pub(crate) fn close(stream: TcpStream) -> io::Result<u16> {
    port(&stream)
}

/// SO_LINGER with zero seconds.
pub(crate) fn linger_zero(stream: &TcpStream) -> io::Result<()> {
    set_option(stream, libc::SOL_SOCKET, libc::SO_LINGER, libc::linger { l_onoff: 1, l_linger: 0 })
}

/// TCP_LINGER2: seconds that an orphan stays in FIN_WAIT2.
pub(crate) fn linger2(stream: &TcpStream, seconds: c_int) -> io::Result<()> {
    set_option(stream, libc::IPPROTO_TCP, libc::TCP_LINGER2, seconds)
}

/// TCP_QUICKACK: spares the next acknowledgement its delay of 40 ms.
pub(crate) fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    set_option::<c_int>(stream, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 1)
}

fn set_option<T: Copy>(stream: &TcpStream, level: c_int, option: c_int, value: T) -> io::Result<()> {
    let length = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `value`.
    check(unsafe { libc::setsockopt(stream.as_raw_fd(), level, option, (&raw const value).cast(), length) })
}

/// `connect` to AF_UNSPEC: takes the connection down and keeps the socket.
pub(crate) fn disconnect(stream: &TcpStream) -> io::Result<()> {
    // SAFETY: sockaddr is plain data; zero is AF_UNSPEC.
    let nowhere: libc::sockaddr = unsafe { mem::zeroed() };
    let length = mem::size_of_val(&nowhere) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `nowhere`.
    check(unsafe { libc::connect(stream.as_raw_fd(), &raw const nowhere, length) })
}

/// Waits until exactly `bytes` can be read.
pub(crate) fn wait_readable(stream: &TcpStream, bytes: u64) -> io::Result<()> {
    until("the data to arrive", || Ok(rustix::io::ioctl_fionread(stream)? == bytes))
}

/// Waits for the peer's FIN, as a reader does.
pub(crate) fn read_end(mut stream: &TcpStream) -> io::Result<()> {
    match stream.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "data instead of the end of the stream")),
    }
}

/// Waits until the connection is in a state.
pub(crate) fn wait_state(stream: &TcpStream, state: State) -> io::Result<()> {
    until(&format!("state {state:?}"), || Ok(tcp_state(stream)? == state as u8))
}

fn tcp_state(stream: &TcpStream) -> io::Result<u8> {
    // SAFETY: tcp_info is plain data.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = mem::size_of_val(&info) as libc::socklen_t;
    let fd = stream.as_raw_fd();
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    check(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut length) })?;
    Ok(info.tcpi_state)
}

/// Waits until the FIN of a socket that nobody owns any more is acknowledged, and tells whether it has become a
/// time-wait minisocket.
pub(crate) fn becomes_minisocket(local_port: u16, peer_port: u16) -> io::Result<bool> {
    let mut minisocket = false;
    until("the FIN to be acknowledged", || {
        let table = fs::read_to_string("/proc/thread-self/net/tcp")?;
        let orphan = table.lines().find_map(|line| orphan(line, local_port, peer_port));
        minisocket = orphan == Some(Orphan::Minisocket);
        Ok(orphan.is_some_and(|orphan| orphan != Orphan::Unacknowledged))
    })?;
    Ok(minisocket)
}

/// A socket that was closed, as a row of `/proc/net/tcp` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orphan {
    /// In FIN_WAIT1.
    Unacknowledged,
    Full,
    Minisocket,
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when …`, all hexadecimal.
fn orphan(line: &str, local_port: u16, peer_port: u16) -> Option<Orphan> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let mut port = || u16::from_str_radix(columns.next()?.split_once(':')?.1, 16).ok();
    if (port()?, port()?) != (local_port, peer_port) {
        return None;
    }
    let state = columns.next()?;
    let timer = columns.nth(1)?.split(':').next()?;
    Some(match (state, timer) {
        (_, TIMEWAIT_TIMER) => Orphan::Minisocket,
        (FIN_WAIT1, _) => Orphan::Unacknowledged,
        _ => Orphan::Full,
    })
}

fn until(what: &str, mut ready: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let end = Instant::now() + DEADLINE;
    while !ready()? {
        if Instant::now() >= end {
            return Err(late(what));
        }
        thread::yield_now();
    }
    Ok(())
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited {} s for {what}", DEADLINE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minisocket_is_told_by_its_timer() {
        let row = |state: &str, timer: &str| {
            format!(
                "   1: 0100007F:1F90 0100007F:C001 {state} 00000000:00000000 {timer}:00000064 00000000     0        0 0"
            )
        };
        assert_eq!(orphan(&row("05", "03"), 0x1f90, 0xc001), Some(Orphan::Minisocket));
        assert_eq!(orphan(&row("05", "02"), 0x1f90, 0xc001), Some(Orphan::Full));
        assert_eq!(orphan(&row("04", "01"), 0x1f90, 0xc001), Some(Orphan::Unacknowledged));
        assert_eq!(orphan(&row("05", "03"), 0x1f90, 0xc002), None);
        assert_eq!(orphan("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when", 0, 0), None);
    }

    #[test]
    fn a_pair_is_connected_both_ways() {
        let (client, server) = pair().unwrap();
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    }
}
