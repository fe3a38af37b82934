//! Figures and names as people write them.

use crate::{
    clock,
    message::{counted, end, thousands},
    store::{Group, Instant},
};

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;

/// `2026-11-26 03:12`
pub(super) fn minute(time: Instant) -> String {
    part(time, 0, 16)
}

/// Some characters of `2026-11-26 03:12:05.123456789`.
pub(super) fn part(time: Instant, from: usize, to: usize) -> String {
    clock::wall_text(time).get(from..to).unwrap_or_default().replace('T', " ")
}

/// `12.3 MB`
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 10_000 {
        return counted(count, "byte");
    }
    // Tenths of a unit.
    let mut tenths = count / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", thousands(tenths / 10), tenths % 10, UNITS[unit])
}

/// A share in tenths of a percent, of a whole that is not zero.
pub(super) fn share(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1_000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Connections of a process for one cause.
pub(super) struct Pair<'a> {
    /// Name of the process, where somebody knows it.
    pub(super) process: Option<&'a str>,
    /// With whom.
    pub(super) peers: Peers<'a>,
    /// Port of the service, 0 where it is not known.
    pub(super) port: u16,
    /// Which end this host is.
    pub(super) role: Option<&'a str>,
    pub(super) cause: &'a str,
    pub(super) severity: &'a str,
}

/// With whom connections were.
#[derive(Clone, Copy)]
pub(super) enum Peers<'a> {
    Unknown,
    One(&'a str),
    /// Several, more than half of the connections with this one.
    Mostly(&'a str),
    Several,
}

impl<'a> Pair<'a> {
    /// Of a group by process, peer, port, role, cause and severity.
    pub(super) fn of(group: &'a Group) -> Self {
        let value = |index: usize| group.values.get(index).and_then(Option::as_deref);
        Self {
            process: value(0),
            peers: value(1).map_or(Peers::Unknown, Peers::One),
            port: value(2).and_then(|port| port.parse().ok()).unwrap_or(0),
            role: value(3),
            cause: value(4).unwrap_or_default(),
            severity: value(5).unwrap_or_default(),
        }
    }

    /// The process in a sentence.
    pub(super) fn who(&self) -> &'a str {
        self.process.unwrap_or("a process that nobody knows")
    }

    /// Its connections in a sentence: `3,900 connections to api.prod.example:443`.
    pub(super) fn connections(&self, number: u64) -> String {
        let connections = counted(number, "connection");
        let port = self.port;
        match (self.role, self.peers) {
            (_, Peers::One(peer)) if port == 0 => format!("{connections} with {peer}"),
            (Some("server"), Peers::One(peer)) => format!("{connections} from {peer} to its port {port}"),
            (Some("server"), Peers::Mostly(peer)) => format!("{connections} to its port {port} (most from {peer})"),
            (Some("server"), _) => format!("{connections} to its port {port}"),
            (Some(_), Peers::One(peer)) => format!("{connections} to {}", end(peer, port)),
            (Some(_), Peers::Mostly(peer)) => format!("{connections} to port {port} (most to {peer})"),
            (Some(_), Peers::Several) => format!("{connections} to port {port} of several peers"),
            (None, Peers::One(peer)) => format!("{connections} with {}", end(peer, port)),
            (None, Peers::Mostly(peer)) => format!("{connections} (most with {peer})"),
            (None, Peers::Several) => format!("{connections} with several peers"),
            (_, Peers::Unknown) => connections,
        }
    }

    /// The peer in a table.
    pub(super) fn against(&self) -> String {
        match (self.peers, self.role) {
            (Peers::One(peer), _) if self.port == 0 => peer.to_owned(),
            (Peers::One(peer), Some("server")) => format!("{peer} → own port {}", self.port),
            (Peers::One(peer), _) => end(peer, self.port),
            _ => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 1, 9_999].map(bytes), ["0 bytes", "1 byte", "9,999 bytes"]);
        assert_eq!([10_000, 1_234_567, 999_999].map(bytes), ["10.0 kB", "1.2 MB", "999.9 kB"]);
        assert_eq!(bytes(5_000_000_000_000_000), "5,000.0 TB");
        assert_eq!((share(1, 3), share(2, 2), share(0, 0)), ("33.3 %".into(), "100.0 %".into(), "0.0 %".into()));
        assert_eq!(minute(1_700_000_000 * SECOND), "2023-11-14 22:13");
    }

    #[test]
    fn connections_tell_which_end_this_host_is() {
        let pair = |role, peers| Pair { process: None, peers, port: 443, role, cause: "", severity: "" };
        let client = |peers| pair(Some("client"), peers).connections(2_000);
        assert_eq!(client(Peers::One("api")), "2,000 connections to api:443");
        assert_eq!(client(Peers::Mostly("api")), "2,000 connections to port 443 (most to api)");
        assert_eq!(client(Peers::Several), "2,000 connections to port 443 of several peers");
        let server = |peers| pair(Some("server"), peers).connections(1);
        assert_eq!(server(Peers::One("fd00::1")), "1 connection from fd00::1 to its port 443");
        assert_eq!(server(Peers::Mostly("fd00::1")), "1 connection to its port 443 (most from fd00::1)");
        assert_eq!(server(Peers::Several), "1 connection to its port 443");
        assert_eq!(pair(None, Peers::One("fd00::1")).connections(2), "2 connections with [fd00::1]:443");
        assert_eq!(pair(None, Peers::Unknown).connections(2), "2 connections");
        assert_eq!(Pair { port: 0, ..pair(None, Peers::One("fd00::1")) }.connections(2), "2 connections with fd00::1");
    }
}
