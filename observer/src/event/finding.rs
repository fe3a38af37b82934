//! A finding: a bad close or RST, with everything known about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{cause::Cause, severity::Severity};

/// A bad close or RST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Why.
    pub cause: Cause,
    /// Who says so.
    pub cause_source: CauseSource,
    /// How bad it is; the rules are in docs/causes.md.
    pub severity: Severity,
    /// The process whose story it is: it made the act, or holds the connection; absent when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Another process that held the connection, when one acted on it that did not: `ss -K`, a kernel thread that
    /// closes what a process has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Process>,
    /// The peer's process, when it is on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<Process>,
    /// Its control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// The connection; absent for a RST of which not even the addresses could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The state of the connection.
    pub tcp: Tcp,
    /// The listener whose end this is, with cause `listener_close`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
    /// Where in the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
}

/// Who decided on a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseSource {
    /// The observer, from the state of the socket, as the kernel decides it.
    Predicted,
    /// The kernel's reset reason alone.
    Kernel,
    /// Both, and they agree.
    Both,
}

/// A process and its thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Name of the process (`comm`, at most 15 bytes).
    pub comm: String,
    /// The thread.
    pub thread: Thread,
    /// The user.
    pub user: User,
    /// The process was exiting: the kernel closed its files for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exiting: Option<bool>,
    /// How the process was found.
    pub attribution: Attribution,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thread {
    /// Name of the thread (`comm`, at most 15 bytes).
    pub name: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Real user id.
    pub id: u32,
}

/// How a process was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// It was running and made the act itself.
    Current,
    /// It closed the connection earlier.
    Closer,
    /// It connected, accepted or reads the connection.
    Owner,
    /// It made the listener that the connection came to; nobody was seen to accept it.
    Listener,
}

/// A control group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// Id in the unified (v2) hierarchy: the inode number of its directory.
    pub id: u64,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Address family of the packets: an IPv4 connection on an IPv6 socket is `ipv4`.
    #[serde(rename = "type")]
    pub kind: AddressType,
    /// Always `tcp`.
    pub transport: String,
    /// Which end this host is; absent when the connection is older than the observer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// Inode of the network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u32>,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressType {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It connected.
    Client,
    /// It was accepted.
    Server,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// IP address; an IPv4-mapped IPv6 address is shown as IPv4.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// The state of a TCP connection at the act.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tcp {
    /// State before the act, as `ss` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Bytes that were received in order and that the application never read. A FIN is not a byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_bytes: Option<u32>,
    /// Bytes that the application wrote and the peer had not acknowledged, the unsent ones included. A RST drops them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacked_bytes: Option<u32>,
    /// Of those, the ones that were never sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsent_bytes: Option<u32>,
    /// Payload of the segment that the RST answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_bytes: Option<u32>,
    /// Payload bytes received in order over the life of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Payload bytes sent, retransmissions not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// Smoothed round-trip time in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtt_us: Option<u32>,
    /// Age of the connection in milliseconds; absent when it is older than the observer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Time since the remembered close in milliseconds, with attribution `closer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_ms_ago: Option<f64>,
    /// The peer had sent its FIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fin_received: Option<bool>,
    /// This host sent a RST with the act.
    pub reset_sent: bool,
    /// The same in the events of the sender and the receiver of a RST, also on two hosts, unless addresses are
    /// translated between them: made from addresses, ports and the RST's sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_id: Option<String>,
    /// The kernel's reason for the RST (`enum sk_rst_reason` without its prefix); from kernel 6.10 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_reason: Option<String>,
    /// The kernel's reason contradicts what the observer predicted; please report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<bool>,
}

/// A listener that was closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Connections that it had not accepted; each has an event of its own.
    pub unaccepted: u32,
}

/// A call stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// Return addresses in the process, the innermost first, in hexadecimal.
    pub user: Vec<String>,
}
