//! A connection to a receiver, and how messages are told from each other on it. Nothing waits longer than the timeout.

use std::{
    io::{self, ErrorKind},
    net::{TcpStream, ToSocketAddrs as _},
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
        shutdown, socket_with,
        sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout},
    },
};

use crate::options::SyslogAddress;

/// Wanted for datagrams, none of which is longer. The kernel grants twice what net.core.wmem_max allows.
const BUFFER: usize = 8 << 20;

/// A receiver that has not taken a byte for so long is connected to anew. Much longer than one that is only busy or
/// stopped for a while should need, for what is on its way is lost then.
const LONGEST_STALL: Duration = Duration::from_secs(60);

/// Reads at a time of what a receiver says; nobody listens, but what is unread at the end would reset the connection.
const MOST_READS: usize = 16;

/// How a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// With its datagram.
    Datagram,
    /// With a NUL, as syslog(3) ends it on a stream.
    Nul,
    /// After so many bytes (RFC 6587 §3.4.1).
    Count,
}

/// Why a message was not sent.
#[derive(Debug)]
pub(super) enum Failure {
    /// No datagram is that long.
    TooLong,
    /// The receiver takes nothing more now. The connection holds; a message that was begun is to be sent again, which
    /// goes on where it stopped.
    Busy,
    /// The connection is of no use any more.
    Broken(io::Error),
}

/// A connection.
pub(super) struct Connection {
    socket: OwnedFd,
    framing: Framing,
    timeout: Duration,
    frame: Vec<u8>,
    /// A message of which a part is sent: its id, and how much.
    begun: Option<(u64, usize)>,
    stalled: Option<Instant>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub(super) fn open(address: &SyslogAddress, timeout: Duration) -> Result<Self> {
        let (socket, framing) = match address {
            SyslogAddress::Unix(path) => local(path, timeout)?,
            SyslogAddress::Tcp(host, port) => (remote(host, *port, timeout)?, Framing::Count),
        };
        Ok(Self { socket, framing, timeout, frame: Vec::new(), begun: None, stalled: None })
    }

    /// Sends a message. The id is the same when a message is tried again.
    ///
    /// # Errors
    /// When that is not possible now, or never.
    pub(super) fn send(&mut self, id: u64, message: &[u8]) -> Result<(), Failure> {
        let mut sent = match self.begun.take() {
            Some((begun, sent)) if begun == id => sent,
            None => 0,
            // Nobody can tell the next message from the rest of this one.
            Some(_) => return Err(Failure::Broken(io::Error::other("a message was cut short"))),
        };
        self.frame(message);
        let deadline = Instant::now() + self.timeout;
        while sent < self.frame.len() {
            match send(&self.socket, &self.frame[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => {
                    sent += count;
                    self.stalled = None;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(self.stall(id, sent)),
                Err(Errno::MSGSIZE) => return Err(Failure::TooLong),
                Err(error) => return Err(Failure::Broken(error.into())),
            }
            // A trickle is too little, too.
            if sent < self.frame.len() && Instant::now() >= deadline {
                return Err(self.stall(id, sent));
            }
        }
        Ok(())
    }

    fn stall(&mut self, id: u64, sent: usize) -> Failure {
        self.begun = (sent > 0).then_some((id, sent));
        if self.stalled.get_or_insert_with(Instant::now).elapsed() >= LONGEST_STALL {
            return Failure::Broken(ErrorKind::TimedOut.into());
        }
        Failure::Busy
    }

    /// Puts a message into its frame.
    fn frame(&mut self, message: &[u8]) {
        self.frame.clear();
        if self.framing == Framing::Count {
            self.frame.extend_from_slice(format!("{} ", message.len()).as_bytes());
        }
        self.frame.extend_from_slice(message);
        if self.framing == Framing::Nul {
            self.frame.push(0);
        }
    }

    /// Whether the receiver is still there, as far as one can know. What it says is dropped.
    pub(super) fn is_open(&self) -> bool {
        if self.framing == Framing::Datagram {
            return true;
        }
        let mut nothing = [0; 1024];
        for _ in 0..MOST_READS {
            match recv(&self.socket, &mut nothing[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return error == Errno::AGAIN,
            }
        }
        true
    }

    /// Whether it can be left without cutting a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.begun.is_none()
    }

    /// Says the end: everything sent before is still delivered.
    pub(super) fn close(self) {
        self.is_open();
        // The receiver may have ended first.
        let _ = shutdown(&self.socket, Shutdown::Write);
    }
}

/// For datagrams, or, where the receiver wants it so, for a stream.
fn local(path: &Path, timeout: Duration) -> Result<(OwnedFd, Framing)> {
    let explain = || format!("cannot connect to {}: is a syslog daemon running?", path.display());
    let address = SocketAddrUnix::new(path).with_context(explain)?;
    let open = |kind| -> Result<Result<OwnedFd, Errno>> {
        let socket =
            socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).context("cannot make a socket")?;
        set_socket_timeout(&socket, Timeout::Send, Some(timeout)).context("cannot set a time limit")?;
        Ok(connect(&socket, &address).map(|()| socket))
    };
    match open(SocketType::DGRAM)? {
        Ok(socket) => {
            // A smaller one takes smaller datagrams.
            let _ = set_socket_send_buffer_size(&socket, BUFFER);
            Ok((socket, Framing::Datagram))
        }
        Err(Errno::PROTOTYPE) => Ok((open(SocketType::STREAM)?.with_context(explain)?, Framing::Nul)),
        Err(error) => Err(error).with_context(explain),
    }
}

/// Tries each address of the host, for its share of the time.
fn remote(host: &str, port: u16, timeout: Duration) -> Result<OwnedFd> {
    let addresses = (host, port).to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?;
    let addresses: Vec<_> = addresses.collect();
    let share = timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, share.max(Duration::from_millis(1))) {
            Ok(stream) => {
                stream.set_write_timeout(Some(timeout)).context("cannot set a time limit")?;
                return Ok(stream.into());
            }
            Err(error) => failure = Some(anyhow::Error::new(error).context(format!("cannot connect to {address}"))),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => bail!("{host} has no address"),
    }
}
