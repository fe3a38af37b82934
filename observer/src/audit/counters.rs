//! The kernel's own counters of a network namespace, by their SNMP names.

use std::ops::Index;

use crate::netns::Member;

/// A counter that is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    AbortOnClose,
    AbortOnData,
    AbortOnLinger,
    AbortOnMemory,
    AbortOnTimeout,
    AbortFailed,
    OutRsts,
}

impl Counter {
    pub(crate) const ALL: [Self; COUNTERS] = [
        Self::AbortOnClose,
        Self::AbortOnData,
        Self::AbortOnLinger,
        Self::AbortOnMemory,
        Self::AbortOnTimeout,
        Self::AbortFailed,
        Self::OutRsts,
    ];

    /// Its SNMP name (`net/ipv4/proc.c`).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AbortOnClose => "TCPAbortOnClose",
            Self::AbortOnData => "TCPAbortOnData",
            Self::AbortOnLinger => "TCPAbortOnLinger",
            Self::AbortOnMemory => "TCPAbortOnMemory",
            Self::AbortOnTimeout => "TCPAbortOnTimeout",
            Self::AbortFailed => "TCPAbortFailed",
            Self::OutRsts => "OutRsts",
        }
    }
}

/// How many counters there are.
pub(crate) const COUNTERS: usize = 7;

/// A value for each counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters(pub(crate) [u64; COUNTERS]);

impl Counters {
    /// Reads a namespace; None when its member is gone, or the kernel lacks a counter.
    pub(crate) fn read(member: &Member) -> Option<Self> {
        Self::parse(&member.read("netstat").ok()?, &member.read("snmp").ok()?)
    }

    fn parse(netstat: &str, snmp: &str) -> Option<Self> {
        let mut values = [0; COUNTERS];
        for (value, counter) in values.iter_mut().zip(Counter::ALL) {
            *value = match counter {
                Counter::OutRsts => find(snmp, "Tcp:", counter.name())?,
                _ => find(netstat, "TcpExt:", counter.name())?,
            };
        }
        Some(Self(values))
    }

    /// Whether some counter is lower than it was: it is another namespace of the same inode number.
    pub(crate) fn restarted_since(&self, before: &Self) -> bool {
        self.0.iter().zip(before.0).any(|(now, then)| *now < then)
    }
}

impl Index<Counter> for Counters {
    type Output = u64;

    fn index(&self, counter: Counter) -> &u64 {
        &self.0[counter as usize]
    }
}

/// Both files are pairs of lines with the same first word: the names, then their values.
fn find(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    pairs.find(|(one, _)| *one == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns;

    const NETSTAT: &str = "TcpExt: SyncookiesSent TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout \
                           TCPAbortOnLinger TCPAbortFailed\nTcpExt: 9 2 1 4 5 3 6\nIpExt: InNoRoutes\nIpExt: 0\n";
    const SNMP: &str = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn OutRsts InCsumErrors\nTcp: 1 -1 7 0\n";

    #[test]
    fn values_are_found_by_the_name_above_them() {
        assert_eq!(Counters::parse(NETSTAT, SNMP), Some(Counters([1, 2, 3, 4, 5, 6, 7])));
    }

    #[test]
    fn a_missing_counter_or_line_is_no_zero() {
        assert_eq!(Counters::parse(&NETSTAT.replace("TCPAbortFailed", "Other"), SNMP), None);
        assert_eq!(Counters::parse(NETSTAT, "Tcp: OutRsts\n"), None);
        assert_eq!(Counters::parse("", ""), None);
    }

    #[test]
    fn order_and_index_agree() {
        for (index, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, index);
        }
    }

    #[test]
    fn this_kernel_has_every_counter() {
        assert!(Counters::read(&netns::own().unwrap()).is_some());
    }
}
