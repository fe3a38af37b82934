//! Doors for fuzzing: what servers and containers say of names.

use observer_ebpf::{Datagram, Direction};
use zerocopy::IntoBytes as _;

use super::{dns::Dns, hosts::Table};

/// A DNS message as a query, as the answer to itself, and as a record of the ring.
pub(crate) fn dns(bytes: &[u8]) -> bool {
    let mut dns = Dns::default();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let record = |direction, message: &[u8]| {
        let head = Datagram { time_ns: 1, socket: 1, start_ns: 1, tgid: 1, netns: 1, direction, bytes: length };
        [head.as_bytes(), message].concat()
    };
    dns.hear(bytes);
    dns.hear(&record(Direction::ASKED, bytes));
    // An answer repeats the question: without its bit that says so, it asks.
    let mut question = bytes.to_vec();
    if let Some(flags) = question.get_mut(2) {
        *flags &= 0x7f;
    }
    dns.hear(&record(Direction::ASKED, &question));
    dns.hear(&record(Direction::ANSWERED, bytes));
    let counts = dns.counts();
    assert!(counts.believed <= counts.answers, "{counts:?}");
    counts.believed > 0
}

/// A hosts file.
pub(crate) fn hosts(bytes: &[u8]) -> bool {
    Table::parse(bytes) != Table::default()
}
