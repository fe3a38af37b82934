//! The events: one JSON object a line, the same type live, recorded and replayed. The doc comments here are the
//! documentation: `conn-observer schema` and `docs/events.md` are made from them.
//!
//! Unknown values are absent, never zero and never guessed. Names follow the OpenTelemetry semantic conventions where
//! one exists (`process.pid`, `network.peer.address`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// Version of the event format: the number changes when a field changes its meaning or goes away.
pub const SCHEMA: &str = "conn-observer/1";

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Format version, `conn-observer/1`.
    pub schema: String,
    /// Number of the line in its stream, from 0.
    pub seq: u64,
    /// Wall-clock time of the act, RFC 3339 in UTC with nanoseconds.
    pub time: String,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// First line: the hooks are attached, and everything after it is seen.
    Started(Box<Started>),
    /// A flagged close: unread data, a RST, or both (with `--all-closes` orderly ones too).
    Close(Box<Finding>),
    /// A RST that this host sent outside a close.
    ResetSent(Box<Finding>),
    /// Findings were lost.
    Loss(Loss),
    /// Last line: the hooks are detached, and everything seen has been told.
    Stopped(Box<Stopped>),
}

/// A bad close or RST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Why.
    pub cause: Cause,
    /// Who says so.
    pub cause_source: CauseSource,
    /// The finding as a sentence.
    pub message: String,
    /// The process that did it; absent when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Its control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// The connection; absent for a RST of which not even the addresses could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The state of the connection.
    pub tcp: Tcp,
    /// Where in the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// This host.
    pub host: Host,
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
    /// It closed the connection earlier; the RST came in answer to later data.
    Closer,
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
    /// The kernel's reason for the RST (`enum sk_rst_reason` without its prefix); from kernel 6.10 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_reason: Option<String>,
    /// The kernel's reason contradicts what the observer predicted; please report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<bool>,
}

/// A call stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// Return addresses in the process, the innermost first, in hexadecimal.
    pub user: Vec<String>,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Host name.
    pub name: String,
}

/// What the observer is, and what it can see here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Version of conn-observer.
    pub version: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// The hooks.
    pub hooks: Hooks,
    /// Filters in force.
    pub filters: Filters,
    /// Size of the ring buffer in bytes.
    pub ring_bytes: u32,
    /// Most frames of a user stack.
    pub stack_depth: u32,
    /// This host.
    pub host: Host,
}

/// Hooks attached, refused and missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hooks {
    /// The plan in force: `fentry`, `kprobe` or `tracepoint`.
    pub plan: String,
    /// What was asked for: a plan or `auto`.
    pub requested: String,
    /// Hooks attached, as `tp_btf/tcp_send_reset`.
    pub attached: Vec<String>,
    /// Better plans that the kernel refused.
    pub refused: Vec<RefusedHook>,
    /// What cannot be seen, and why.
    pub coverage: Vec<CoverageLimit>,
    /// Kernel fields that BTF does not show as expected.
    pub missing_fields: Vec<String>,
}

/// A hook that the kernel refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedHook {
    /// The plan it belongs to.
    pub plan: String,
    /// The hook.
    pub hook: String,
    /// The kernel's error.
    pub error: String,
}

/// A limit of what is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageLimit {
    /// Cause, field or feature.
    pub what: String,
    /// The limit, as a sentence.
    pub limit: String,
}

/// Filters in force; an empty one is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Filters {
    /// Process ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pid: Vec<u32>,
    /// Children are observed too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub children: bool,
    /// Names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comm: Vec<String>,
    /// User ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uid: Vec<u32>,
    /// Ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub port: Vec<u16>,
    /// Networks of the remote address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer: Vec<String>,
    /// Network namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netns: Vec<u32>,
    /// Causes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<Cause>,
    /// Least number of unread bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_unread: u32,
    /// Orderly closes are reported too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_closes: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Findings that were lost since the last such event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Where: `ring`, the buffer between kernel and observer (see `--ring-size`).
    #[serde(rename = "where")]
    pub place: String,
    /// How many, by cause.
    pub lost: Vec<LostCount>,
    /// Sum over the stream so far.
    pub total_lost: u64,
}

/// Lost findings of one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LostCount {
    /// The cause.
    pub cause: Cause,
    /// How many.
    pub count: u64,
}

/// The balance of the stream: `submitted = received + lost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Why: `signal`, `count`, `duration`, `command` or `pipe`.
    pub reason: String,
    /// Findings that passed the filters.
    pub submitted: u64,
    /// Of those, the ones that reached the observer.
    pub received: u64,
    /// Of those, the ones that the ring had no room for.
    pub lost: u64,
    /// Records that could not be decoded; anything but 0 is a fault of ours.
    pub malformed: u64,
    /// Findings in which the kernel's reason contradicts the prediction.
    pub disagreements: u64,
    /// RSTs withheld because a process filter is on and nobody knows their process.
    pub unattributed: u64,
    /// Hook runs that the kernel skipped: it allows one at a time on a CPU.
    pub missed: u64,
    /// Things that did not fit a map of the kernel side.
    pub overflow: u64,
    /// Everything counted on this host since the hooks were attached, whatever the filters.
    pub totals: Vec<TotalCount>,
}

/// Totals of one network namespace and cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TotalCount {
    /// Inode of the network namespace; absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u32>,
    /// The cause.
    pub cause: Cause,
    /// Acts.
    pub acts: u64,
    /// Acts with a RST of this host.
    pub resets: u64,
    /// Unread bytes, summed.
    pub unread_bytes: u64,
    /// Acts that passed the filters.
    pub submitted: u64,
    /// Of those, the ones lost.
    pub lost: u64,
}
