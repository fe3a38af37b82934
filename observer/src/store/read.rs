//! Rows into events: what was written comes out as it went in.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
};

use anyhow::{Context as _, Error, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{
    parts::{Part, Remembered, Rest},
    words::value,
};
use crate::{
    clock::Time,
    event::{Body, Endpoint, Event, Finding, Hint, Host, Network, Stack, Tcp},
};

/// Rows of one table that are remembered at most.
const REMEMBERED: usize = 16_384;

/// The columns that [`Events::event`] reads, in its order.
pub(super) const COLUMNS: &str = "event.time, event.session, event.seq, event.kind, event.actor, event.peer, \
    event.peer_port, event.local, event.local_port, event.namespace, event.stack, event.counterpart, event.unread_bytes, \
    event.unacked_bytes, event.unsent_bytes, event.segment_bytes, event.received_bytes, event.sent_bytes, \
    event.srtt_us, event.duration_ms, event.closed_ms_ago, event.reset_id, event.detail";

/// Makes events of rows, and remembers what many of them mean.
#[derive(Default)]
pub(super) struct Events {
    sessions: HashMap<i64, Rc<Session>>,
    kinds: HashMap<i64, Rc<Kind>>,
    actors: HashMap<i64, Rc<Actor>>,
    addresses: HashMap<i64, Rc<Address>>,
    stacks: HashMap<i64, Rc<Stack>>,
}

struct Session {
    host: Arc<str>,
    schema: Cow<'static, str>,
}

struct Kind {
    event: String,
    finding: Option<Finding>,
    /// Its role and the like, at a connection without ends.
    network: Option<Network>,
}

struct Actor {
    process: Remembered,
    part: Part,
}

struct Address {
    address: IpAddr,
    name: Option<Arc<str>>,
    name_source: Option<String>,
}

impl Events {
    /// The event of a row of [`COLUMNS`].
    ///
    /// # Errors
    /// When the file does not hold together.
    pub(super) fn event(&mut self, connection: &Connection, row: &Row<'_>) -> Result<Event> {
        let kind = self.kind(connection, row.get(3)?)?;
        let Some(finding) = &kind.finding else {
            let detail: String = row.get(22)?;
            return serde_json::from_str(&detail).context("an event of the store cannot be read");
        };
        let session = self.session(connection, row.get(1)?)?;
        let mut finding = finding.clone();
        if let Some(actor) = row.get::<_, Option<i64>>(4)? {
            let actor = self.actor(connection, actor)?;
            finding.process = Some(actor.process.acting(&actor.part));
            finding.cgroup = actor.process.cgroup.clone();
            finding.container = actor.process.container.clone();
            finding.systemd = actor.process.systemd.clone();
            finding.k8s = actor.process.k8s.clone();
        }
        if let Some(actor) = row.get::<_, Option<i64>>(11)? {
            let actor = self.actor(connection, actor)?;
            finding.counterpart = Some(actor.process.acting(&actor.part));
        }
        if let (Some(network), Some(peer), Some(local)) =
            (&kind.network, row.get::<_, Option<i64>>(5)?, row.get::<_, Option<i64>>(7)?)
        {
            finding.network = Some(Network {
                peer: self.end(connection, peer, row.get(6)?)?,
                local: self.end(connection, local, row.get(8)?)?,
                namespace: row.get(9)?,
                ..network.clone()
            });
        }
        if let Some(stack) = row.get::<_, Option<i64>>(10)? {
            finding.stack = Some(Stack::clone(&*self.stack(connection, stack)?));
        }
        finding.tcp = Tcp {
            unread_bytes: row.get(12)?,
            unacked_bytes: row.get(13)?,
            unsent_bytes: row.get(14)?,
            segment_bytes: row.get(15)?,
            received_bytes: row.get(16)?,
            sent_bytes: row.get(17)?,
            srtt_us: row.get(18)?,
            duration_ms: row.get(19)?,
            closed_ms_ago: row.get(20)?,
            reset_id: row.get::<_, Option<String>>(21)?.and_then(|id| id.parse().ok()),
            ..finding.tcp
        };
        if let Some(detail) = row.get::<_, Option<String>>(22)? {
            let rest: Rest =
                serde_json::from_str(&detail).context("the rest of an event of the store cannot be read")?;
            finding.owner = rest.owner;
            finding.listener = rest.listener;
        }
        let body = match kind.event.as_str() {
            "reset_sent" => Body::ResetSent(finding),
            "reset_received" => Body::ResetReceived(finding),
            _ => Body::Close(finding),
        };
        Ok(Event {
            schema: session.schema.clone(),
            seq: row.get(2)?,
            time: Time::of(row.get(0)?),
            message: None,
            host: Host { name: session.host.clone() },
            body,
        })
    }

    fn session(&mut self, connection: &Connection, id: i64) -> Result<Rc<Session>> {
        remembered(&mut self.sessions, id, || {
            let mut find = connection.prepare_cached("SELECT host, schema FROM session WHERE id = ?")?;
            let session =
                find.query_row([id], |row| Ok(Session { host: row.get(0)?, schema: row.get::<_, String>(1)?.into() }));
            session.with_context(|| format!("session {id} is missing"))
        })
    }

    fn kind(&mut self, connection: &Connection, id: i64) -> Result<Rc<Kind>> {
        remembered(&mut self.kinds, id, || {
            let mut find = connection.prepare_cached(
                "SELECT type, cause, cause_source, severity, family, role, host_namespace, state, kernel_reason, \
                 fin_received, reset_sent, disagreement, advice, reference FROM kind WHERE id = ?",
            )?;
            let kind = find.query_row([id], |row| Ok(kind(row))).optional()?;
            kind.with_context(|| format!("kind {id} is missing"))?
        })
    }

    fn actor(&mut self, connection: &Connection, id: i64) -> Result<Rc<Actor>> {
        remembered(&mut self.actors, id, || {
            let mut find = connection.prepare_cached(
                "SELECT detail, tid, thread, attribution, exiting FROM actor \
                 JOIN process ON process.id = actor.process WHERE actor.id = ?",
            )?;
            let found = find.query_row([id], |row| {
                let detail: String = row.get(0)?;
                let attribution: String = row.get(3)?;
                Ok((detail, row.get(1)?, row.get(2)?, attribution, row.get(4)?))
            });
            let (detail, tid, thread, attribution, exiting) =
                found.with_context(|| format!("actor {id} is missing"))?;
            let attribution = value(&attribution).with_context(|| format!("unknown attribution {attribution}"))?;
            let process = serde_json::from_str(&detail).context("a process of the store cannot be read")?;
            Ok(Actor { process, part: Part { tid, thread, attribution, exiting } })
        })
    }

    fn end(&mut self, connection: &Connection, id: i64, port: u16) -> Result<Endpoint> {
        let address = remembered(&mut self.addresses, id, || {
            let mut find = connection.prepare_cached("SELECT address, name, name_source FROM address WHERE id = ?")?;
            let row = find.query_row(params![id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)));
            let (address, name, name_source) = row.with_context(|| format!("address {id} is missing"))?;
            let address = address.parse().with_context(|| format!("address {id} of the store cannot be read"))?;
            Ok(Address { address, name, name_source })
        })?;
        Ok(Endpoint {
            address: address.address,
            port,
            name: address.name.clone(),
            name_source: address.name_source.as_deref().and_then(value),
        })
    }

    fn stack(&mut self, connection: &Connection, id: i64) -> Result<Rc<Stack>> {
        remembered(&mut self.stacks, id, || {
            let mut find = connection.prepare_cached("SELECT detail FROM stack WHERE id = ?")?;
            let detail: String =
                find.query_row([id], |row| row.get(0)).with_context(|| format!("stack {id} is missing"))?;
            serde_json::from_str(&detail).context("a stack of the store cannot be read")
        })
    }
}

fn kind(row: &Row<'_>) -> Result<Kind> {
    let event: String = row.get(0)?;
    let Some(cause) = row.get::<_, Option<String>>(1)? else {
        return Ok(Kind { event, finding: None, network: None });
    };
    let text = |index: usize| row.get::<_, Option<String>>(index);
    let mut finding = Finding::of(
        cause.parse().map_err(Error::msg)?,
        text(2)?.as_deref().and_then(value).context("a kind without the source of its cause")?,
    );
    finding.severity = text(3)?.unwrap_or_default().parse().map_err(Error::msg)?;
    finding.hint =
        text(12)?.zip(text(13)?).map(|(advice, reference)| Hint { advice: advice.into(), reference: reference.into() });
    finding.tcp = Tcp {
        state: text(7)?.map(Into::into),
        kernel_reason: row.get(8)?,
        fin_received: row.get(9)?,
        reset_sent: row.get(10)?,
        disagreement: row.get(11)?,
        ..Tcp::default()
    };
    let nowhere = || Endpoint::of(Ipv4Addr::UNSPECIFIED.into(), 0);
    let network = text(4)?.as_deref().and_then(value).map(|kind| Network {
        kind,
        transport: "tcp".into(),
        role: None,
        local: nowhere(),
        peer: nowhere(),
        namespace: None,
        host_namespace: None,
    });
    let network = match network {
        Some(network) => {
            Some(Network { role: text(5)?.as_deref().and_then(value), host_namespace: row.get(6)?, ..network })
        }
        None => None,
    };
    Ok(Kind { event, finding: Some(finding), network })
}

/// What a number means, read once.
fn remembered<T>(known: &mut HashMap<i64, Rc<T>>, id: i64, read: impl FnOnce() -> Result<T>) -> Result<Rc<T>> {
    if let Some(found) = known.get(&id) {
        return Ok(Rc::clone(found));
    }
    let found = Rc::new(read()?);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(id, Rc::clone(&found));
    Ok(found)
}
