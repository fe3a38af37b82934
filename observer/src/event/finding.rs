//! A finding: a bad close or RST, with everything known about it.

use std::{borrow::Cow, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    network::Network,
    place::{Cgroup, Container, Kubernetes, Systemd},
    process::Process,
    reset_id::ResetId,
    shared,
    stack::{Hint, Stack},
};
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
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared::process")]
    pub process: Option<Arc<Process>>,
    /// Another process that held the connection, when one acted on it that did not: `ss -K`, a kernel thread that
    /// closes what a process has left.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared::process")]
    pub owner: Option<Arc<Process>>,
    /// The peer's process, when it is on this host.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared::process")]
    pub counterpart: Option<Arc<Process>>,
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
    /// What to do about it, where cause, runtime and stack tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

impl Finding {
    /// A finding of which nothing else is known.
    #[must_use]
    pub fn of(cause: Cause, cause_source: CauseSource) -> Self {
        Self {
            cause,
            cause_source,
            severity: Severity::default(),
            process: None,
            owner: None,
            counterpart: None,
            cgroup: None,
            container: None,
            systemd: None,
            k8s: None,
            network: None,
            tcp: Tcp::default(),
            listener: None,
            stack: None,
            hint: None,
        }
    }
}

/// Who decided on a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseSource {
    /// The observer, from the state of the socket, as the kernel decides it.
    Predicted,
    /// The kernel's reset reason alone.
    Kernel,
    /// Both, and they agree.
    Both,
}

/// The state of a TCP connection at the act.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tcp {
    /// State before the act, as `ss` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Cow<'static, str>>,
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
    pub reset_id: Option<ResetId>,
    /// The kernel's reason for the RST (`enum sk_rst_reason` without its prefix); from kernel 6.10 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_reason: Option<Arc<str>>,
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
