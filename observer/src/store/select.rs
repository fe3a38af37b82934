//! Which events are meant.

use ipnet::IpNet;
use rusqlite::ToSql;

use super::{condition::Condition, field::Field};
use crate::{cause::Cause, severity::Severity};

/// Nanoseconds since 1970.
pub type Instant = i64;

/// Which events are meant. An empty list selects nothing out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// From this time on.
    pub since: Option<Instant>,
    /// Before this time.
    pub until: Option<Instant>,
    /// Events that are no findings, too.
    pub all_types: bool,
    /// Types of events.
    pub types: Vec<String>,
    /// Causes.
    pub causes: Vec<Cause>,
    /// Least severity.
    pub severity: Severity,
    /// Least number of unread bytes.
    pub min_unread: u32,
    /// Names of processes or threads.
    pub comms: Vec<String>,
    /// Process ids.
    pub pids: Vec<u32>,
    /// Real user ids.
    pub uids: Vec<u32>,
    /// Ports at either end.
    pub ports: Vec<u16>,
    /// Networks of the remote address.
    pub peers: Vec<IpNet>,
    /// Network namespaces.
    pub netns: Vec<u32>,
    /// Further fields that have one of these values.
    pub fields: Vec<(Field, Vec<String>)>,
}

impl Selection {
    /// The same within a time.
    #[must_use]
    pub fn within(&self, since: Option<Instant>, until: Option<Instant>) -> Self {
        Self { since, until, ..self.clone() }
    }

    /// The condition on single events.
    pub(super) fn events(&self) -> Condition {
        let mut condition = Condition::new();
        if let Some(since) = self.since {
            condition.value("event.time >= ?", since);
        }
        if let Some(until) = self.until {
            condition.value("event.time < ?", until);
        }
        self.add(&mut condition, true);
        condition
    }

    /// Whether the counts by the minute tell it.
    pub(super) fn is_tallied(&self) -> bool {
        !self.all_types // findings only
            && self.pids.is_empty()
            && self.netns.is_empty()
            && self.min_unread == 0
            && self.comms.is_empty() // of threads, too
            && self.ports.is_empty() // at either end
            && self.fields.iter().all(|(field, _)| field.is_tallied())
    }

    /// Everything but the time.
    pub(super) fn add(&self, condition: &mut Condition, direct: bool) {
        if !self.all_types {
            condition.and("kind.cause IS NOT NULL");
        }
        condition.any("kind.type", &self.types);
        let causes: Vec<&str> = self.causes.iter().map(|cause| cause.name()).collect();
        condition.any("kind.cause", &causes);
        if !self.severity.is_least() {
            let severities: Vec<&str> =
                Severity::ALL.into_iter().filter(|one| *one >= self.severity).map(Severity::name).collect();
            condition.any("kind.severity", &severities);
        }
        condition.any("program.uid", &self.uids);
        for (field, values) in &self.fields {
            condition.any(&format!("CAST({} AS TEXT)", field.expression(direct)), values);
        }
        let networks: Vec<String> = self.peers.iter().map(ToString::to_string).collect();
        if !networks.is_empty() {
            condition.and(&format!("(0{})", " OR within(peer.address, ?)".repeat(networks.len())));
            condition.values.extend(networks.into_iter().map(|network| Box::new(network) as Box<dyn ToSql>));
        }
        if !direct {
            return;
        }
        condition.any("process.pid", &self.pids);
        condition.any("event.namespace", &self.netns);
        if self.min_unread > 0 {
            condition.value("event.unread_bytes >= ?", self.min_unread);
        }
        condition.either("program.comm", "actor.thread", &self.comms);
        condition.either("event.local_port", "event.peer_port", &self.ports);
    }
}
