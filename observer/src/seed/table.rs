//! `/proc/PID/net/tcp` and `tcp6`: one socket a line.

use observer_ebpf::Endpoints;

/// Sockets that some process may hold, by `include/net/tcp_states.h`: ESTABLISHED, SYN_SENT, FIN_WAIT1, FIN_WAIT2,
/// CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING.
const STATES: [u8; 8] = [1, 2, 4, 5, 8, 9, LISTEN, 11];

const LISTEN: u8 = 10;

/// A socket that has an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) endpoints: Endpoints,
    pub(crate) inode: u64,
    pub(crate) listening: bool,
}

/// The sockets of a table. Lines that are none, such as the heading, are left out.
pub(crate) fn parse(table: &str, netns: u32) -> impl Iterator<Item = Row> {
    table.lines().filter_map(move |line| row(line, netns))
}

/// Whether `sockstat` or `sockstat6` of a namespace says that it has no TCP socket but minisockets.
pub(crate) fn is_empty(sockstat: &str) -> bool {
    let counts = sockstat.lines().find_map(|line| line.strip_prefix("TCP: ").or_else(|| line.strip_prefix("TCP6: ")));
    counts.and_then(|counts| counts.strip_prefix("inuse ")?.split_whitespace().next()) == Some("0")
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn row(line: &str, netns: u32) -> Option<Row> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let (local, local_port) = end(columns.next()?)?;
    let (peer, peer_port) = end(columns.next()?)?;
    let state = u8::from_str_radix(columns.next()?, 16).ok()?;
    let inode = columns.nth(5)?.parse().ok()?;
    if inode == 0 || !STATES.contains(&state) {
        return None;
    }
    let endpoints = Endpoints { local, peer, local_port, peer_port, netns };
    Some(Row { endpoints, inode, listening: state == LISTEN })
}

/// An address, in network byte order and IPv4 as `::ffff:a.b.c.d`, and its port. The kernel prints each word of the
/// address as the number that this machine reads in its memory, the port as a number.
fn end(text: &str) -> Option<([u32; 4], u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| u32::from_str_radix(address.get(8 * index..8 * (index + 1))?, 16).ok();
    let address = match address.len() {
        8 => [0, 0, 0xffff_u32.to_be(), word(0)?],
        32 => [word(0)?, word(1)?, word(2)?, word(3)?],
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// Taken from a little-endian machine.
    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1683 1 0000000058d01448 100 0 0 10 0
   1: 0500000A:D431 0302010A:192B 01 00000000:00000FB6 00:00000000 00000000  1000        0 77012 1 00000000a3bb4ae6 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C001 06 00000000:00000000 03:00000EA8 00000000     0        0 0 3 00000000a3bb4ae6
   3: 0100007F:1F90 0100007F:C003 05 00000000:00000000 00:00000000 00000000     0        0 0 1 00000000a3bb4ae6
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:E001 08 00000000:00000000 00:00000000 00000000    33        0 4242 1 00000000a3bb4ae6 20 4 30 10 -1
   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C001 04 00000001:00000000 00:00000000 00000000     0        0 4243 1 00000000a3bb4ae6 20 4 30 10 -1
";

    fn mapped(address: [u8; 4]) -> [u32; 4] {
        words(Ipv4Addr::from(address).to_ipv6_mapped())
    }

    /// An address as it lies in memory.
    fn words(address: Ipv6Addr) -> [u32; 4] {
        let octets = address.octets();
        [0, 4, 8, 12].map(|at| u32::from_ne_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]))
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv4_addresses_are_mapped_and_minisockets_and_orphans_left_out() {
        let rows: Vec<Row> = parse(TCP, 7).collect();
        let [listener, connection] = rows[..] else { panic!("two rows: {rows:?}") };
        assert_eq!((listener.inode, listener.listening), (1683, true));
        assert_eq!(listener.endpoints.local, mapped([0, 0, 0, 0]));
        assert_eq!((listener.endpoints.local_port, listener.endpoints.peer_port), (2024, 0));
        assert_eq!((connection.inode, connection.listening), (77_012, false));
        assert_eq!(connection.endpoints.local, mapped([10, 0, 0, 5]));
        assert_eq!(connection.endpoints.peer, mapped([10, 1, 2, 3]));
        assert_eq!((connection.endpoints.local_port, connection.endpoints.peer_port), (54_321, 6_443));
        assert_eq!(connection.endpoints.netns, 7);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv6_addresses_are_read_word_by_word() {
        let rows: Vec<Row> = parse(TCP6, 7).collect();
        let [plain, ipv4] = rows[..] else { panic!("two rows: {rows:?}") };
        assert_eq!(plain.endpoints.local, words("2001:db8::1".parse().unwrap()));
        assert_eq!(plain.endpoints.peer, words("2001:db8::2".parse().unwrap()));
        assert_eq!((plain.endpoints.local_port, plain.endpoints.peer_port), (80, 57_345));
        assert_eq!(ipv4.endpoints.local, mapped([127, 0, 0, 1]), "an IPv4 connection of an IPv6 socket");
    }

    #[test]
    fn any_prefix_of_a_table_gives_rows_or_none() {
        for table in [TCP, TCP6] {
            for length in 0..table.len() {
                assert!(parse(&table[..length], 7).count() <= 2);
            }
        }
    }

    #[test]
    fn a_namespace_without_sockets_says_so() {
        assert!(is_empty("sockets: used 15\nTCP: inuse 0 orphan 0 tw 3 alloc 1 mem 201\nUDP: inuse 5 mem 0\n"));
        assert!(is_empty("TCP6: inuse 0\nUDP6: inuse 1\n"));
        assert!(!is_empty("TCP6: inuse 2\n"));
        assert!(!is_empty("TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 0\n"));
        assert!(!is_empty(""), "unknown");
    }
}
