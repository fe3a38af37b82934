//! Events into rows. The only writer of a file: it holds its lock.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};
use serde::Serialize;

use super::{
    parts::{self, Rest},
    rows::{Actor, Address, Kind, Numbers, PlainKind, Process, Program, Stack},
};
use crate::event::{self, Body, Endpoint, Event, Finding, Role};

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;

/// Writes events into an open file.
#[derive(Default)]
pub(super) struct Rows {
    kinds: Numbers,
    plain: Numbers,
    programs: Numbers,
    processes: Numbers,
    actors: Numbers,
    addresses: Numbers,
    stacks: Numbers,
    /// The session of each host.
    sessions: Sessions,
    tally: HashMap<Key, Sum>,
    text: Vec<u8>,
}

/// A stream of events.
#[derive(Clone, Copy)]
pub(super) struct Session {
    id: i64,
    last: i64,
}

/// What findings are counted by.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    kind: i64,
    program: i64,
    peer: i64,
    port: u16,
    stack: i64,
}

#[derive(Default)]
struct Sum {
    events: i64,
    unread: i64,
}

/// A process in the tables.
struct Known {
    program: i64,
    process: i64,
    actor: i64,
}

impl Rows {
    /// Writes events, within the caller's transaction. After an error everything that is remembered has to be forgotten.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn append(&mut self, connection: &Connection, events: &[Event]) -> Result<()> {
        for event in events {
            self.event(connection, event)?;
        }
        for (key, sum) in self.tally.drain() {
            connection
                .prepare_cached(
                    "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
                     events = events + excluded.events, unread_bytes = unread_bytes + excluded.unread_bytes",
                )?
                .execute(params![
                    key.minute,
                    key.kind,
                    key.program,
                    key.peer,
                    key.port,
                    key.stack,
                    sum.events,
                    sum.unread
                ])?;
        }
        for session in self.sessions.values() {
            connection
                .prepare_cached("UPDATE session SET last = max(last, ?2) WHERE id = ?1")?
                .execute(params![session.id, session.last])?;
        }
        Ok(())
    }

    /// Forgets what it knows of the tables: rows may be gone.
    pub(super) fn forget(&mut self) {
        let tables = [
            &mut self.kinds,
            &mut self.plain,
            &mut self.programs,
            &mut self.processes,
            &mut self.actors,
            &mut self.addresses,
            &mut self.stacks,
        ];
        tables.into_iter().for_each(Numbers::forget);
        self.tally.clear();
    }

    /// Forgets the sessions, too, that were begun in what was undone: those before it go on.
    pub(super) fn undone(&mut self, before: Sessions) {
        self.forget();
        self.sessions = before;
    }

    /// The sessions that events go on in.
    pub(super) fn sessions(&self) -> Sessions {
        self.sessions.clone()
    }

    /// The session that a host's events go on in.
    pub(super) fn session_of(&self, host: &str) -> Option<i64> {
        self.sessions.get(host).map(|session| session.id)
    }

    fn event(&mut self, connection: &Connection, event: &Event) -> Result<()> {
        let time = event.time.unix_ns();
        let session = self.session(connection, event, time)?;
        if let Some(finding) = event.body.finding() {
            return self.finding(connection, event, finding, session, time);
        }
        let severity = match &event.body {
            Body::Churn(churn) => Some(churn.severity.name()),
            _ => None,
        };
        let kind = self.plain.of(connection, &PlainKind { event: event.body.name(), severity }, time)?;
        let process = match &event.body {
            Body::Churn(churn) => {
                let place = parts::Place {
                    cgroup: churn.cgroup.as_ref(),
                    container: churn.container.as_deref(),
                    systemd: churn.systemd.as_deref(),
                    k8s: churn.k8s.as_deref(),
                };
                Some(self.process(connection, &event.host.name, &churn.process, &place, time)?.process)
            }
            _ => None,
        };
        let detail = text(&mut self.text, event);
        connection
            .prepare_cached("INSERT INTO event (time, session, seq, kind, process, detail) VALUES (?, ?, ?, ?, ?, ?)")?
            .execute(params![time, session, event.seq, kind, process, detail])?;
        if matches!(event.body, Body::Stopped(_)) {
            connection.prepare_cached("UPDATE session SET ended = 1 WHERE id = ?")?.execute([session])?;
        }
        Ok(())
    }

    /// The session of an event; `started` begins one.
    fn session(&mut self, connection: &Connection, event: &Event, time: i64) -> Result<i64> {
        let started = match &event.body {
            Body::Started(started) => Some(started),
            _ => None,
        };
        if let (None, Some(session)) = (started, self.sessions.get_mut(&*event.host.name)) {
            session.last = session.last.max(time);
            return Ok(session.id);
        }
        let id = connection
            .prepare_cached(
                "INSERT INTO session (host, schema, begin, last, version, kernel) VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
            )?
            .insert(params![
                event.host.name,
                event.schema,
                time,
                started.map(|started| &started.version),
                started.map(|started| &started.kernel),
            ])?;
        self.sessions.insert(event.host.name.to_string(), Session { id, last: time });
        Ok(id)
    }

    fn finding(
        &mut self,
        connection: &Connection,
        event: &Event,
        finding: &Finding,
        session: i64,
        time: i64,
    ) -> Result<()> {
        let host = &event.host.name;
        let (network, tcp) = (finding.network.as_ref(), &finding.tcp);
        let kind = Kind {
            event: event.body.name(),
            cause: finding.cause,
            cause_source: finding.cause_source,
            severity: finding.severity,
            family: network.map(|network| network.kind),
            role: network.and_then(|network| network.role),
            host_namespace: network.and_then(|network| network.host_namespace),
            state: tcp.state.as_deref(),
            kernel_reason: tcp.kernel_reason.as_deref(),
            fin_received: tcp.fin_received,
            reset_sent: tcp.reset_sent,
            disagreement: tcp.disagreement,
            hint: finding.hint.as_ref(),
        };
        let kind = self.kinds.of(connection, &kind, time)?;
        let place = parts::Place {
            cgroup: finding.cgroup.as_ref(),
            container: finding.container.as_deref(),
            systemd: finding.systemd.as_deref(),
            k8s: finding.k8s.as_deref(),
        };
        let none = parts::Place::default();
        let process =
            finding.process.as_ref().map(|one| self.process(connection, host, one, &place, time)).transpose()?;
        let counterpart =
            finding.counterpart.as_ref().map(|one| self.process(connection, host, one, &none, time)).transpose()?;
        let stack = match &finding.stack {
            Some(stack) => Some(self.stacks.of(connection, &Stack { detail: stack }, time)?),
            None => None,
        };
        let peer = network.map(|network| self.address(connection, &network.peer, time)).transpose()?;
        let local = network.map(|network| self.address(connection, &network.local, time)).transpose()?;
        let port = network.map_or(0, |network| match network.role {
            Some(Role::Server) => network.local.port,
            _ => network.peer.port,
        });
        let reset_id = tcp.reset_id.map(|id| id.to_string());
        let rest = Rest::of(finding);
        let detail = if rest.is_empty() { None } else { Some(text(&mut self.text, &rest)) };
        connection
            .prepare_cached(
                "INSERT INTO event (time, session, seq, kind, process, actor, peer, peer_port, local, local_port, \
                 namespace, stack, counterpart, unread_bytes, unacked_bytes, unsent_bytes, segment_bytes, \
                 received_bytes, sent_bytes, srtt_us, duration_ms, closed_ms_ago, reset_id, detail) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                time,
                session,
                event.seq,
                kind,
                process.as_ref().map(|known| known.process),
                process.as_ref().map(|known| known.actor),
                peer,
                network.map(|network| network.peer.port),
                local,
                network.map(|network| network.local.port),
                network.and_then(|network| network.namespace),
                stack,
                counterpart.map(|known| known.actor),
                tcp.unread_bytes,
                tcp.unacked_bytes,
                tcp.unsent_bytes,
                tcp.segment_bytes,
                tcp.received_bytes,
                tcp.sent_bytes,
                tcp.srtt_us,
                tcp.duration_ms,
                tcp.closed_ms_ago,
                reset_id,
                detail,
            ])?;
        let key = Key {
            minute: time.div_euclid(MINUTE) * 60,
            kind,
            program: process.as_ref().map_or(0, |known| known.program),
            peer: peer.unwrap_or(0),
            port,
            stack: stack.unwrap_or(0),
        };
        let sum = self.tally.entry(key).or_default();
        sum.events += 1;
        sum.unread += i64::from(tcp.unread_bytes.unwrap_or(0));
        Ok(())
    }

    fn process(
        &mut self,
        connection: &Connection,
        host: &str,
        process: &event::Process,
        place: &parts::Place<'_>,
        time: i64,
    ) -> Result<Known> {
        let program = Program {
            host,
            comm: &process.comm,
            executable: process.executable.as_ref().map(|executable| executable.path.as_str()),
            runtime: process.runtime.as_ref().map(|runtime| runtime.name.as_str()),
            uid: process.user.id,
            user: process.user.name.as_deref(),
            unit: place.unit(),
            container: place.container.map(|container| container.id.as_str()),
            pod: place.k8s.map(|pod| pod.pod_uid.as_str()),
        };
        let program = self.programs.of(connection, &program, time)?;
        let detail = parts::Lasting::of(process, place);
        let row = Process { program, pid: process.pid, start_time: process.start_time, detail };
        let id = self.processes.of(connection, &row, time)?;
        let actor = Actor {
            process: id,
            tid: process.tid,
            thread: &process.thread.name,
            attribution: process.attribution,
            exiting: process.exiting,
        };
        let actor = self.actors.of(connection, &actor, time)?;
        Ok(Known { program, process: id, actor })
    }

    fn address(&mut self, connection: &Connection, end: &Endpoint, time: i64) -> Result<i64> {
        let row = Address { address: end.address, name: end.name.as_deref(), name_source: end.name_source };
        self.addresses.of(connection, &row, time)
    }
}

/// Which session each host's events go on in.
pub(super) type Sessions = HashMap<String, Session>;

/// A value as JSON, in a buffer that is used again and again.
fn text<'b, T: Serialize>(buffer: &'b mut Vec<u8>, value: &T) -> &'b str {
    buffer.clear();
    // Writing to memory cannot fail, and JSON is UTF-8.
    let _ = serde_json::to_writer(&mut *buffer, value);
    std::str::from_utf8(buffer).unwrap_or_default()
}
