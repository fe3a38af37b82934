//! What is told of a socket that holds something: who has it, what waits, and what closing it would do.

use std::{collections::HashMap, net::SocketAddr};

use ipnet::IpNet;
use serde::Serialize;

use super::{holders::Holder, holding::Socket, state::State};
use crate::{
    cause::Cause,
    clock::Time,
    event::{AddressType, CauseSource, Endpoint, Finding, Host, Listener, Tcp},
    judge,
    severity::Severity,
};

/// Which sockets are meant; an empty list selects nothing out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Processes that hold it.
    pub pids: Vec<u32>,
    /// Names of such processes.
    pub comms: Vec<String>,
    /// Ports at either end.
    pub ports: Vec<u16>,
    /// Networks of the remote address.
    pub peers: Vec<IpNet>,
    /// Network namespaces.
    pub netns: Vec<u32>,
    /// Least number of unread bytes.
    pub min_unread: u64,
}

/// Version of the lines: the number changes when a field changes its meaning or goes away.
pub(super) const SCHEMA: &str = "conn-observer-snapshot/1";

/// A socket that holds something unread: one line of JSON, with the names that events have.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// Format version, `conn-observer-snapshot/1`.
    pub schema: &'static str,
    /// When it was looked at, RFC 3339 in UTC.
    pub time: Time,
    /// This host.
    pub host: Host,
    /// How bad it would be to close it now.
    pub severity: Severity,
    /// The process that holds it; absent when none is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Holder>,
    /// Descriptors that hold it: only the last one that is closed closes it.
    pub descriptors: usize,
    /// The peer's process, when it is in the same network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<Holder>,
    /// The connection.
    pub network: Connection,
    /// Its state.
    pub tcp: Held,
    /// What waits at a listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
    /// RSTs that closing it now would send.
    pub resets_if_closed: u32,
}

/// The ends of a socket.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    /// Address family.
    #[serde(rename = "type")]
    pub kind: AddressType,
    /// Always `tcp`.
    pub transport: &'static str,
    /// This end.
    pub local: Endpoint,
    /// The other end; a listener has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Endpoint>,
    /// Inode of the network namespace.
    pub namespace: u32,
    /// Whether that is the host's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_namespace: Option<bool>,
}

/// The state of a socket.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// State, as `ss` names it.
    pub state: &'static str,
    /// Bytes that came in and that nobody has read, a FIN not counted; of a listener, those of the connections that wait.
    pub unread_bytes: u64,
    /// Bytes that were written and that the peer has not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacked_bytes: Option<u32>,
    /// The peer has sent its FIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fin_received: Option<bool>,
    /// Milliseconds since data came last, or else since the connection was made; of a listener, for the connection that
    /// waits longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_received_ms: Option<u64>,
}

/// What is told of a socket; None when the filter does not let it pass.
pub(super) fn told(
    socket: &Socket,
    holders: &HashMap<u64, Vec<Holder>>,
    filter: &Filter,
    (time, host, host_netns): (Time, &str, Option<u32>),
) -> Option<Waiting> {
    let entry = &socket.entry;
    let listens = entry.state == State::Listen;
    let held_by = holders.get(&entry.inode).map_or(&[][..], Vec::as_slice);
    let wanted = |holder: &&Holder| {
        (filter.pids.is_empty() || filter.pids.contains(&holder.pid))
            && (filter.comms.is_empty() || filter.comms.contains(&holder.comm))
    };
    let process = held_by.iter().find(wanted).cloned();
    let any_process = filter.pids.is_empty() && filter.comms.is_empty();
    let ports = [entry.local.port(), entry.peer.port()];
    let passes = (process.is_some() || any_process)
        && (filter.ports.is_empty() || filter.ports.iter().any(|port| *port != 0 && ports.contains(port)))
        && (filter.peers.is_empty() || !listens && filter.peers.iter().any(|net| net.contains(&entry.peer.ip())))
        && socket.unread >= filter.min_unread;
    if !passes {
        return None;
    }
    let fin_received = (!listens).then(|| entry.state.has_fin());
    let unacked_bytes = (!listens).then(|| entry.written.saturating_sub(u32::from(entry.state.awaits_ack_of_fin())));
    let mut finding =
        Finding::of(if listens { Cause::ListenerClose } else { Cause::CloseUnread }, CauseSource::Predicted);
    finding.tcp = Tcp {
        unread_bytes: Some(u32::try_from(socket.unread).unwrap_or(u32::MAX)),
        unacked_bytes,
        fin_received,
        reset_sent: true,
        ..Tcp::default()
    };
    let end = |end: SocketAddr| Endpoint::of(end.ip(), end.port());
    Some(Waiting {
        schema: SCHEMA,
        time,
        host: Host { name: host.into() },
        severity: judge::severity(&finding),
        process,
        descriptors: held_by.len(),
        counterpart: holders.get(&socket.other).and_then(|holders| holders.first()).cloned(),
        network: Connection {
            kind: if entry.local.is_ipv4() { AddressType::Ipv4 } else { AddressType::Ipv6 },
            transport: "tcp",
            local: end(entry.local),
            peer: (!listens).then(|| end(entry.peer)),
            namespace: entry.netns,
            host_namespace: host_netns.map(|host| host == entry.netns),
        },
        tcp: Held {
            state: entry.state.name(),
            unread_bytes: socket.unread,
            unacked_bytes,
            fin_received,
            last_received_ms: socket.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
        },
        listener: listens.then_some(Listener { unaccepted: socket.unaccepted }),
        resets_if_closed: if listens { socket.unaccepted } else { 1 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{
        diag::Entry,
        holding::{
            holding,
            tests::{connection, entry},
        },
    };

    fn tell(socket: &Socket, filter: &Filter) -> Option<Waiting> {
        let holder = |pid, comm: &str| Holder { pid, comm: comm.to_owned(), fd: 3 };
        let holders = HashMap::from([(5, vec![holder(20, "worker"), holder(10, "master")])]);
        told(socket, &holders, filter, (Time::of(0), "here", Some(7)))
    }

    #[test]
    fn filters_choose_sockets_and_their_holder() {
        let socket = &holding(&[connection(State::Established, 5, 9)])[0];
        let by = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            tell(socket, &filter).map(|waiting| waiting.process.map_or(0, |process| process.pid))
        };
        assert_eq!(by(&|_| ()), Some(20), "the youngest");
        assert_eq!(by(&|filter| filter.pids = vec![10]), Some(10));
        assert_eq!(by(&|filter| filter.comms = vec!["master".to_owned()]), Some(10));
        assert_eq!(by(&|filter| filter.pids = vec![30]), None);
        assert_eq!(by(&|filter| filter.ports = vec![80]), Some(20));
        assert_eq!(by(&|filter| filter.ports = vec![1_005]), Some(20));
        assert_eq!(by(&|filter| filter.ports = vec![81]), None);
        assert_eq!(by(&|filter| filter.peers = vec!["10.0.0.0/24".parse().unwrap()]), Some(20));
        assert_eq!(by(&|filter| filter.peers = vec!["10.0.0.1/32".parse().unwrap()]), None, "that is our own");
        assert_eq!(by(&|filter| filter.min_unread = 9), Some(20));
        assert_eq!(by(&|filter| filter.min_unread = 10), None);
    }

    #[test]
    fn a_line_has_the_names_that_events_have() {
        let entry = Entry { written: 1, ..connection(State::LastAck, 5, 31) };
        let waiting = tell(&holding(&[entry])[0], &Filter::default()).unwrap();
        let line = serde_json::to_value(&waiting).unwrap();
        let expected = serde_json::json!({
            "schema": "conn-observer-snapshot/1", "time": "1970-01-01T00:00:00.000000000Z", "host": {"name": "here"}, "severity": "benign",
            "process": {"pid": 20, "comm": "worker", "fd": 3}, "descriptors": 2,
            "network": {
                "type": "ipv4", "transport": "tcp", "local": {"address": "10.0.0.1", "port": 80},
                "peer": {"address": "10.0.0.2", "port": 1005}, "namespace": 7, "host_namespace": true
            },
            "tcp": {
                "state": "LAST_ACK", "unread_bytes": 30, "unacked_bytes": 0, "fin_received": true, "last_received_ms": 50
            },
            "resets_if_closed": 1
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_listener_is_told_with_the_resets_of_its_queue() {
        let listener = entry(State::Listen, "0.0.0.0:80", "0.0.0.0:0", 5, 2);
        let waiting =
            tell(&holding(&[listener, connection(State::Established, 0, 40)])[0], &Filter::default()).unwrap();
        assert_eq!((waiting.resets_if_closed, waiting.tcp.unread_bytes, waiting.tcp.fin_received), (2, 40, None));
        assert_eq!((waiting.severity, waiting.network.peer), (Severity::Harmful, None));
    }
}
