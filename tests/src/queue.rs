//! What waits unread in any socket of this namespace, ours or a stranger's, as `/proc/net/tcp` tells it
//! (`rx_queue` is `rcv_nxt - copied_seq`, net/ipv4/tcp_ipv4.c `get_tcp4_sock`). A FIN counts as one there.

use std::fs;

use crate::deadline::until;

/// Bytes waiting at the socket with these two ports, `None` when there is no such socket.
pub fn unread(local_port: u16, peer_port: u16) -> Option<u64> {
    ["tcp", "tcp6"].iter().find_map(|file| {
        let path = format!("/proc/thread-self/net/{file}");
        let table = fs::read_to_string(path).ok()?;
        table.lines().skip(1).find_map(|line| row(line, local_port, peer_port))
    })
}

/// Waits until exactly `bytes` are there.
pub fn wait_for(local_port: u16, peer_port: u16, bytes: u64) {
    until(&format!("{bytes} bytes in the receive queue of port {local_port}"), || {
        unread(local_port, peer_port) == Some(bytes)
    });
}

fn row(line: &str, local_port: u16, peer_port: u16) -> Option<u64> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let port = |column: Option<&str>| u16::from_str_radix(column?.rsplit_once(':')?.1, 16).ok();
    if port(columns.next()) != Some(local_port) || port(columns.next()) != Some(peer_port) {
        return None;
    }
    let (_tx, rx) = columns.nth(1)?.split_once(':')?;
    u64::from_str_radix(rx, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_ports() {
        let line = "   0: 0100007F:1F90 0100007F:C001 01 00000001:00000064 00:00000000 00000000     0        0 1";
        assert_eq!(row(line, 0x1f90, 0xc001), Some(100));
        assert_eq!(row(line, 0x1f90, 1), None);
    }
}
