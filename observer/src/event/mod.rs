//! The events: one JSON object a line, the same type live, recorded and replayed. The doc comments here are the
//! documentation: `conn-observer schema` and `docs/events.md` are made from them.
//!
//! Unknown values are absent, never zero and never guessed. Names follow the OpenTelemetry semantic conventions where
//! one exists (`process.pid`, `network.peer.address`).
//!
//! What many events have in common they share: processes, places, frames. What they have in common with the program is
//! borrowed from it.

mod audit;
mod balance;
mod churn;
mod finding;
mod naming;
mod network;
mod place;
mod process;
mod reset_id;
mod shared;
mod stack;
mod start;

use std::{borrow::Cow, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Time;

pub use audit::{Audit, AuditedCounter, Relation};
pub use balance::{ChurnBalance, Loss, LostCount, SinkBalance, Stopped, SymbolCounts, TotalCount};
pub use churn::{Churn, ChurnConnections, ChurnNetwork, ChurnPeer, ChurnVerdict, Reuse, ServedPort};
pub use finding::{CauseSource, Finding, Listener, Tcp};
pub use naming::{DnsCounts, HostsCounts, Naming, PtrCounts};
pub use network::{AddressType, Endpoint, NameSource, Network, Role};
pub use place::{Cgroup, Container, Kubernetes, Systemd};
pub use process::{Ancestor, Attribution, Executable, Process, Runtime, Thread, User};
pub use reset_id::ResetId;
pub use stack::{Frame, Frames, Hint, Stack};
pub use start::{CoverageLimit, Filters, Hooks, Landlock, RefusedHook, Reloaded, Sandbox, Started};

/// Version of the event format: the number changes when a field changes its meaning or goes away.
pub const SCHEMA: &str = "conn-observer/1";

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub struct Event {
    /// Format version, `conn-observer/1`.
    pub schema: Cow<'static, str>,
    /// Number of the line in its stream, from 0.
    pub seq: u64,
    /// Wall-clock time of the act, RFC 3339 in UTC with nanoseconds.
    pub time: Time,
    /// The event as a sentence.
    ///
    /// Here only one that was recorded and reads otherwise than it would now: [`Event::message`].
    #[schemars(with = "String", description = "The event as a sentence.")]
    pub message: Option<Box<str>>,
    /// This host.
    pub host: Host,
    /// What happened.
    #[schemars(flatten)]
    pub body: Body,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// First line: the hooks are attached, and everything after it is seen.
    Started(Box<Started>),
    // Findings are in no box: most events are findings, and each box would be asked for and given back.
    /// A flagged close: unread data, a RST, or both (with `--all-closes` orderly ones too).
    Close(Finding),
    /// A RST that this host sent outside a close.
    ResetSent(Finding),
    /// A RST that came in.
    ResetReceived(Finding),
    /// A process makes connections to a peer and closes them, again and again (`--churn`).
    Churn(Box<Churn>),
    /// Other filters or sinks are in force (SIGHUP).
    Reloaded(Box<Reloaded>),
    /// Findings were lost.
    Loss(Loss),
    /// The totals of a network namespace against the kernel's own counters (`--audit`).
    Audit(Audit),
    /// Last line: the hooks are detached, and everything seen has been told.
    Stopped(Box<Stopped>),
}

impl Body {
    /// The kind, as `type` tells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Close(_) => "close",
            Self::ResetSent(_) => "reset_sent",
            Self::ResetReceived(_) => "reset_received",
            Self::Churn(_) => "churn",
            Self::Reloaded(_) => "reloaded",
            Self::Loss(_) => "loss",
            Self::Audit(_) => "audit",
            Self::Stopped(_) => "stopped",
        }
    }

    /// The finding, if it is one.
    #[must_use]
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Close(finding) | Self::ResetSent(finding) | Self::ResetReceived(finding) => Some(finding),
            _ => None,
        }
    }

    /// The finding, to be completed.
    pub fn finding_mut(&mut self) -> Option<&mut Finding> {
        match self {
            Self::Close(finding) | Self::ResetSent(finding) | Self::ResetReceived(finding) => Some(finding),
            _ => None,
        }
    }
}

/// A host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Host name.
    pub name: Arc<str>,
}
