//! How often the like of a finding happens: the same process, service and cause.

use anyhow::Result;
use serde::Serialize;

use crate::{
    clock,
    event::{Event, Finding, Role},
    store::{Field, Instant, Selection, Store},
};

/// Nanoseconds of an hour.
const HOUR: i64 = 3_600_000_000_000;

/// How often.
#[derive(Debug, Serialize)]
pub(super) struct Often {
    /// What is counted, in words.
    pub(super) what: String,
    /// Within the hour up to the event.
    pub(super) hour: u64,
    /// Within the day up to the event.
    pub(super) day: u64,
    /// In the whole store.
    pub(super) all: u64,
    /// Minute of the first one, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<String>,
    /// Minute of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<String>,
}

impl Often {
    pub(super) fn of(store: &Store, event: &Event, finding: &Finding) -> Result<Self> {
        let (selection, what) = like(finding);
        let whole = store.groups(&selection, &[])?.into_iter().next();
        let minute = |time: Instant| clock::wall_text(time).get(..16).map(|text| format!("{text}Z"));
        let end = event.time.unix_ns().saturating_add(1);
        let within = |span: i64| store.count(&selection.within(Some(end.saturating_sub(span)), Some(end)));
        Ok(Self {
            what,
            hour: within(HOUR)?,
            day: within(24 * HOUR)?,
            all: whole.as_ref().map_or(0, |group| group.events),
            first: whole.as_ref().and_then(|group| minute(group.first)),
            last: whole.as_ref().and_then(|group| minute(group.last)),
        })
    }
}

/// Findings like this one. Clients of a server come and go: there, its port tells the service.
fn like(finding: &Finding) -> (Selection, String) {
    let mut selection = Selection { causes: vec![finding.cause], ..Selection::default() };
    let mut what = vec![finding.cause.to_string()];
    if let Some(process) = &finding.process {
        selection.fields.push((Field::Process, vec![process.comm.clone()]));
        what.push(format!("by {}", process.comm));
    }
    if let Some(network) = &finding.network {
        if network.role == Some(Role::Server) {
            selection.fields.push((Field::Port, vec![network.local.port.to_string()]));
            selection.fields.push((Field::Role, vec!["server".to_owned()]));
            what.push(format!("at its port {}", network.local.port));
        } else {
            let peer = network.peer.called();
            selection.fields.push((Field::Peer, vec![peer.to_string()]));
            selection.fields.push((Field::Port, vec![network.peer.port.to_string()]));
            what.push(format!("with {}", crate::message::end(&peer, network.peer.port)));
        }
    }
    (selection, what.join(" "))
}
