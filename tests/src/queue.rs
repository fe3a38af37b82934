//! What waits unread in any socket of this namespace, ours or a stranger's, as `/proc/net/tcp` tells it
//! (`rx_queue` is `rcv_nxt - copied_seq`, net/ipv4/tcp_ipv4.c `get_tcp4_sock`). A FIN counts as one there.

use std::fs;

use crate::deadline::until;

/// Bytes waiting at the socket with these two ports, `None` when there is no such socket.
pub fn unread(local_port: u16, peer_port: u16) -> Option<u64> {
    find(local_port, peer_port).map(|row| row.unread)
}

/// Waits until exactly `bytes` are there.
pub fn wait_for(local_port: u16, peer_port: u16, bytes: u64) {
    until(&format!("{bytes} bytes in the receive queue of port {local_port}"), || {
        unread(local_port, peer_port) == Some(bytes)
    });
}

/// Waits until the peer has acknowledged the FIN of a socket that nobody owns any more.
pub fn wait_fin_acknowledged(local_port: u16, peer_port: u16) {
    until("the FIN to be acknowledged", || {
        find(local_port, peer_port).is_some_and(|row| [FIN_WAIT2, TIME_WAIT].contains(&row.state))
    });
}

/// The same for `count` sockets with one peer's port. Tells how many of them are time-wait minisockets.
pub fn wait_all_fins_acknowledged(peer_port: u16, count: usize) -> usize {
    let mut minisockets = 0;
    until("all FINs to be acknowledged", || {
        let ours = rows().into_iter().filter(|row| row.peer_port == peer_port);
        let done: Vec<Row> = ours.filter(|row| [FIN_WAIT2, TIME_WAIT].contains(&row.state)).collect();
        minisockets = done.iter().filter(|row| row.timer == TIMEWAIT_TIMER).count();
        done.len() == count
    });
    minisockets
}

/// Waits until there is no such socket, not even a time-wait one.
pub fn wait_gone(local_port: u16, peer_port: u16) {
    until("the socket to go away", || find(local_port, peer_port).is_none());
}

/// Whether a socket is a time-wait minisocket, which shows FIN_WAIT2 as its state at first, but always timer 3.
pub fn is_minisocket(local_port: u16, peer_port: u16) -> bool {
    find(local_port, peer_port).is_some_and(|row| row.timer == TIMEWAIT_TIMER)
}

/// Connections at a local port that still can carry data; neither a listener nor a TIME_WAIT is one.
pub fn connections(local_port: u16) -> usize {
    rows().iter().filter(|row| row.local_port == local_port && ![TIME_WAIT, LISTEN].contains(&row.state)).count()
}

const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;
const LISTEN: u8 = 10;
/// `tr` of a time-wait row (net/ipv4/tcp_ipv4.c `get_timewait4_sock`).
const TIMEWAIT_TIMER: u8 = 3;

struct Row {
    local_port: u16,
    peer_port: u16,
    state: u8,
    unread: u64,
    timer: u8,
}

fn find(local_port: u16, peer_port: u16) -> Option<Row> {
    rows().into_iter().find(|row| (row.local_port, row.peer_port) == (local_port, peer_port))
}

fn rows() -> Vec<Row> {
    let table = |file| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    // There is no tcp6 in a kernel without IPv6.
    ["tcp", "tcp6"].into_iter().flat_map(|file| table(file).lines().filter_map(parse).collect::<Vec<_>>()).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when …`, all hexadecimal; the heading is no row.
fn parse(line: &str) -> Option<Row> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let mut port = || u16::from_str_radix(columns.next()?.rsplit_once(':')?.1, 16).ok();
    let (local_port, peer_port) = (port()?, port()?);
    let state = u8::from_str_radix(columns.next()?, 16).ok()?;
    let unread = u64::from_str_radix(columns.next()?.split_once(':')?.1, 16).ok()?;
    let timer = u8::from_str_radix(columns.next()?.split_once(':')?.0, 16).ok()?;
    Some(Row { local_port, peer_port, state, unread, timer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_ports_state_and_queue() {
        let line = "   0: 0100007F:1F90 0100007F:C001 0A 00000001:00000064 00:00000000 00000000     0        0 1";
        let row = parse(line).unwrap();
        assert_eq!((row.local_port, row.peer_port, row.state, row.unread), (0x1f90, 0xc001, LISTEN, 100));
        assert!(parse("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when").is_none());
    }
}
