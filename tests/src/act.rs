//! Who closed what, and how much was left unread: the truth an event is compared with.

use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

/// One close or reset, as its maker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Process that acted.
    pub pid: u32,
    /// Thread that acted.
    pub tid: u32,
    /// Address of the socket that was closed; IPv4 also where the socket is IPv6 with a mapped address.
    pub local: SocketAddr,
    /// Address of its peer.
    pub peer: SocketAddr,
    /// Bytes in the receive queue that nobody read.
    pub unread: u64,
}

impl Act {
    /// What the calling thread is about to do to `stream`.
    pub fn of(stream: &TcpStream, unread: u64) -> Self {
        Self {
            pid: std::process::id(),
            tid: thread_id(),
            local: canonical(stream.local_addr().expect("a local address")),
            peer: canonical(stream.peer_addr().expect("a peer address")),
            unread,
        }
    }

    /// What the calling process has to answer for at these addresses, where no stream tells them.
    pub fn at(local: impl Into<SocketAddr>, peer: impl Into<SocketAddr>) -> Self {
        Self { pid: std::process::id(), tid: thread_id(), local: local.into(), peer: peer.into(), unread: 0 }
    }

    /// The same act by another process's main thread.
    pub fn by(mut self, pid: u32) -> Self {
        self.pid = pid;
        self.tid = pid;
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"pid": self.pid, "tid": self.tid, "local": self.local.to_string(), "peer": self.peer.to_string(),
               "unread": self.unread})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            pid: value["pid"].as_u64()?.try_into().ok()?,
            tid: value["tid"].as_u64()?.try_into().ok()?,
            local: value["local"].as_str()?.parse().ok()?,
            peer: value["peer"].as_str()?.parse().ok()?,
            unread: value["unread"].as_u64()?,
        })
    }
}

/// The calling thread's id, also right in a forked child.
pub fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Lets the calling thread run on one CPU only.
pub fn stay_on(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).expect("a CPU");
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
