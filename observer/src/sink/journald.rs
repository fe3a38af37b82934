//! systemd's journal, by its native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): each event is an entry with
//! fields of its own, a datagram each. What is too large for a datagram is handed over as a sealed file in memory.
//!
//! Of the libraries, `libsystemd` sends to one fixed path, waits without limit for a journal that hangs, and brings an
//! HMAC, a parser and a second set of system calls; those for `log` and `tracing` take their records only. What is left
//! is two ways to write a field, and one system call.

use std::{
    fs::File,
    io::Write as _,
    mem::MaybeUninit,
    os::{fd::AsFd as _, unix::net::UnixDatagram},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    io::{Errno, retry_on_intr},
    net::{
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr, sendto,
        sockopt::set_socket_send_buffer_size,
    },
};

use super::{Sink, Undelivered, gist::Gist};
use crate::{
    delivery::Delivery,
    event::{Body, Event},
    options::JournaldSink,
};

/// How long the journal may take to make room.
const LIMIT: Duration = Duration::from_secs(5);

/// As sd_journal_send(3) asks for; the kernel grants what net.core.wmem_max allows. Beyond it there are files in memory.
const BUFFER: usize = 8 << 20;

/// The sink.
pub(super) struct Journald {
    path: PathBuf,
    address: SocketAddrUnix,
    /// Not connected: the journal may make its socket anew.
    socket: UnixDatagram,
    entry: Vec<u8>,
}

impl Journald {
    /// Makes a socket. Whether anybody listens the first event tells.
    ///
    /// # Errors
    /// When the path can be no socket's.
    pub(super) fn open(settings: &JournaldSink) -> Result<Self> {
        let path = settings.socket.clone();
        let address = SocketAddrUnix::new(&path)
            .with_context(|| format!("{}: a socket's path has at most 107 bytes", path.display()))?;
        let socket = UnixDatagram::unbound().context("cannot make a socket for the journal")?;
        socket.set_write_timeout(Some(LIMIT)).context("cannot set a time limit for the journal")?;
        // What is refused here is refused again below, where there is another way.
        let _ = set_socket_send_buffer_size(&socket, BUFFER);
        Ok(Self { path, address, socket, entry: Vec::new() })
    }

    fn send(&self) -> Result<()> {
        match retry_on_intr(|| sendto(&self.socket, &self.entry, SendFlags::NOSIGNAL, &self.address)) {
            Ok(_) => Ok(()),
            Err(Errno::MSGSIZE | Errno::NOBUFS) => self.send_file(),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The journal takes files with exactly these seals.
    fn send_file(&self) -> Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create(c"conn-observer", flags).context("cannot make a file in memory")?);
        file.write_all(&self.entry).context("cannot write a file in memory")?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, seals).context("cannot seal a file in memory")?;
        let files = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&files));
        retry_on_intr(|| sendmsg_addr(&self.socket, &self.address, &[], &mut control, SendFlags::NOSIGNAL))
            .map(drop)
            .map_err(|error| self.explain(error))
    }

    fn explain(&self, error: Errno) -> anyhow::Error {
        let path = self.path.display();
        match error {
            Errno::AGAIN => anyhow::anyhow!("the journal ({path}) has taken nothing for {LIMIT:?}"),
            _ => anyhow::Error::new(error).context(format!("cannot send to {path}: is systemd-journald running?")),
        }
    }
}

impl Sink for Journald {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        for (position, event) in delivery.events().iter().enumerate().skip(from) {
            self.entry.clear();
            write(event, delivery.json().line(position), &mut self.entry);
            self.send().map_err(|error| Undelivered::at(position, error))?;
        }
        Ok(())
    }
}

/// Kinds of entries, as `journalctl MESSAGE_ID=…` and message catalogues know them; they never change.
fn message_id(body: &Body) -> &'static str {
    match body {
        Body::Started(_) => "d6bd89e56a30405795fc1c6aedfc1f51",
        Body::Close(_) => "2131d21fdd714383923e3c85aca9adc1",
        Body::ResetSent(_) => "b1aeb35d787449d5b18265f7ba834885",
        Body::ResetReceived(_) => "21a2e02944c24913857a07221fb509b1",
        Body::Churn(_) => "a86bba820d7d4078b0d4c990992169f8",
        Body::Reloaded(_) => "bf12e9eac1d44c08a9257143a096ba6d",
        Body::Loss(_) => "443e9782435a4f3a82f4bb377418ec3e",
        Body::Audit(_) => "6c9a534d1f66420d968a2739316ebf42",
        Body::Stopped(_) => "27eccb0b0d4d49e39df8ccd4252c9348",
    }
}

/// An entry.
fn write(event: &Event, line: &[u8], entry: &mut Vec<u8>) {
    let gist = Gist::of(event);
    let mut text = |name, value: &str| field(entry, name, value.as_bytes());
    text("MESSAGE", &event.message().to_string());
    text("PRIORITY", &(gist.level as u8).to_string());
    text("SYSLOG_IDENTIFIER", "conn-observer");
    text("MESSAGE_ID", message_id(&event.body));
    text("CONN_OBSERVER_TYPE", event.body.name());
    if let Some(cause) = gist.cause {
        text("CONN_OBSERVER_CAUSE", cause);
    }
    if let Some(severity) = gist.severity {
        text("CONN_OBSERVER_SEVERITY", severity);
    }
    if let Some(process) = gist.process {
        // From root the journal adds what it knows of this process, its unit among it.
        text("OBJECT_PID", &process.pid.to_string());
        text("CONN_OBSERVER_COMM", &process.comm);
    }
    if let Some(peer) = gist.peer {
        text("CONN_OBSERVER_PEER", &peer);
    }
    field(entry, "CONN_OBSERVER_EVENT", line);
}

/// `NAME=value`, or with its length before it where the value has more than one line.
fn field(entry: &mut Vec<u8>, name: &str, value: &[u8]) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

#[cfg(test)]
mod tests;
