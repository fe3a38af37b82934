//! Connections that come and go: a process that never uses one for longer.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    network::{AddressType, NameSource, Role, address, called},
    place::{Cgroup, Container, Kubernetes, Systemd},
    process::Process,
    stack::Hint,
};
use crate::severity::Severity;

/// Ten or more connections between a process and a peer that the process closed within a window (`--churn`), half of
/// them or more within a second of their beginning. The rules are in docs/causes.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Churn {
    /// Who ends them, and how.
    pub verdict: ChurnVerdict,
    /// `suspect` when a client ends them itself, one a second or more; `benign` otherwise.
    pub severity: Severity,
    /// The process that closed them, and the thread that came first in this window. With verdict `one_per_process`, the
    /// process that started last.
    pub process: Arc<Process>,
    /// How many processes, with verdict `one_per_process`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Its control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// Its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Arc<Container>>,
    /// The systemd unit it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systemd: Option<Arc<Systemd>>,
    /// The Kubernetes pod it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k8s: Option<Arc<Kubernetes>>,
    /// The peer.
    pub network: ChurnNetwork,
    /// Length of the window in milliseconds; the last one of a run may be shorter.
    pub window_ms: u64,
    /// Connections in this window.
    pub connections: ChurnConnections,
    /// Connections closed per second of the window.
    pub rate_per_s: f64,
    /// Mean age of the connections when they were closed, in milliseconds.
    pub mean_lifetime_ms: f64,
    /// Whether a connection was used again, as far as TCP can tell; absent when it cannot: several segments may be
    /// several requests, one large one, or a TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse: Option<Reuse>,
    /// Handshakes that a pool would have spared, had it kept as many connections as were open at a time on average.
    pub handshakes_wasted: u64,
    /// Time those took, in milliseconds, estimated from the mean round-trip time: one round trip each. TLS adds one or
    /// two more, and its cryptography. Absent when no round trip was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasted_ms: Option<f64>,
    /// Mean payload bytes sent on a connection.
    pub sent_bytes: u64,
    /// Mean payload bytes received on a connection.
    pub received_bytes: u64,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
    /// Pairs of process and peer of this window that are like this one, but beyond the 64 that are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<u64>,
    /// Connections of this window on this host that were not counted, for there was no room (see `--churn-pairs`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncounted: Option<u64>,
}

/// Who ends the connections, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChurnVerdict {
    /// The process closes them, and half of these closes or more send RST: the `close` events tell why.
    Resets,
    /// The process closes them in order. Nothing else tells of these: small bodies that are closed without being read
    /// to their end look like this, too.
    Closes,
    /// The peer had closed half of them or more before: as a server does that answers `Connection: close`, or a client
    /// that has no use for the connection any more.
    PeerCloses,
    /// Ten or more processes of one name and control group that began in this window, none of which makes ten
    /// connections: a program that is run again and again.
    OnePerProcess,
}

/// Whether connections are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// On every connection that was closed the client sent one segment of data at most: no connection served a second
    /// request.
    None,
    /// There were connections that lived for a second or more, and some on which the client sent more than one segment
    /// of data.
    Some,
}

/// Connections between a process and a peer in a window. All but `opened` are about those that the process closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChurnConnections {
    /// Established and, by a server, accepted.
    pub opened: u64,
    /// Closed by the process.
    pub closed: u64,
    /// Reset by its close.
    pub flagged: u64,
    /// Closed within a second.
    pub short_lived: u64,
    /// Closed after the peer's FIN had come.
    pub peer_first: u64,
}

/// A process's end of many connections, and their other end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChurnNetwork {
    /// Address family of the packets: an IPv4 connection on an IPv6 socket is `ipv4`.
    #[serde(rename = "type")]
    pub kind: AddressType,
    /// Always `tcp`.
    pub transport: Cow<'static, str>,
    /// Which end the process is.
    pub role: Role,
    /// The end of a server; a client's ports are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<ServedPort>,
    /// The other end.
    pub peer: ChurnPeer,
    /// Inode of the network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u32>,
    /// Whether that is the host's own: the one of process 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_namespace: Option<bool>,
}

/// The end of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServedPort {
    /// Its port.
    pub port: u16,
}

/// The peer of many connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChurnPeer {
    /// IP address; an IPv4-mapped IPv6 address is shown as IPv4.
    #[serde(deserialize_with = "address")]
    pub address: IpAddr,
    /// Port of a server; absent for a client, which has many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Host name of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// How the name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_source: Option<NameSource>,
}

impl ChurnPeer {
    /// Its name, or else its address.
    #[must_use]
    pub fn called(&self) -> Cow<'_, str> {
        called(self.name.as_deref(), self.address)
    }
}
