//! Which of all sockets hold something that nobody has read: from what the kernel tells, without I/O.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use super::{diag::Entry, state::State};

/// A socket with what waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) entry: Entry,
    pub(super) unread: u64,
    /// Connections that nobody has accepted.
    pub(super) unaccepted: u32,
    pub(super) idle: Option<Duration>,
    /// Inode of the other end's socket, 0 when it is not in this namespace.
    pub(super) other: u64,
}

/// The sockets that hold something, whoever holds them. What waits in connections that nobody has accepted belongs to
/// their listener.
pub(super) fn holding(entries: &[Entry]) -> Vec<Socket> {
    let ends: HashMap<(u32, SocketAddr, SocketAddr), u64> =
        entries.iter().map(|entry| ((entry.netns, entry.local, entry.peer), entry.inode)).collect();
    let socket = |entry: &Entry| Socket {
        unread: unread(entry),
        unaccepted: if entry.state == State::Listen { entry.received } else { 0 },
        idle: entry.last_received,
        other: ends.get(&(entry.netns, entry.peer, entry.local)).copied().unwrap_or(0),
        entry: entry.clone(),
    };
    let (listening, connected): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.state == State::Listen);
    let mut listeners: Vec<Socket> = listening.into_iter().map(socket).collect();
    // How many of the connections at each one have been told apart.
    let mut known = vec![0_u32; listeners.len()];
    let mut holding = Vec::new();
    for connection in connected.into_iter().map(socket) {
        let place = is_unaccepted(&connection.entry).then(|| listener_of(&connection.entry, &listeners, &known));
        match place.flatten() {
            Some(place) => {
                known[place] += 1;
                let listener = &mut listeners[place];
                listener.unread += connection.unread;
                listener.idle = listener.idle.max(connection.idle);
            }
            None if connection.unread > 0 => holding.push(connection),
            None => {}
        }
    }
    holding.extend(listeners.into_iter().filter(|listener| listener.unaccepted > 0));
    holding
}

/// Bytes that nobody has read.
fn unread(entry: &Entry) -> u64 {
    match entry.state {
        State::Listen => 0,
        state if state.has_fin() => u64::from(entry.received.saturating_sub(1)),
        _ => u64::from(entry.received),
    }
}

/// No process has it, and none has closed it: then it would not be in such a state.
fn is_unaccepted(entry: &Entry) -> bool {
    entry.inode == 0 && matches!(entry.state, State::Established | State::CloseWait)
}

/// The listener that a connection came to, its own address first; of several that share a port, one with room left.
fn listener_of(connection: &Entry, listeners: &[Socket], known: &[u32]) -> Option<usize> {
    let fits = |place: &usize| {
        let listener = &listeners[*place];
        let (there, here) = (listener.entry.local, connection.local);
        listener.entry.netns == connection.netns
            && there.port() == here.port()
            && (there.ip() == here.ip() || there.ip().is_unspecified())
            && known[*place] < listener.unaccepted
    };
    (0..listeners.len()).filter(fits).max_by_key(|place| listeners[*place].entry.local.ip() == connection.local.ip())
}

/// Inodes of the sockets whose holders are to be told.
pub(super) fn inodes(sockets: &[Socket]) -> HashSet<u64> {
    sockets.iter().flat_map(|socket| [socket.entry.inode, socket.other]).filter(|inode| *inode != 0).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::snapshot) fn entry(state: State, local: &str, peer: &str, inode: u64, received: u32) -> Entry {
        Entry {
            netns: 7,
            state,
            local: local.parse().unwrap(),
            peer: peer.parse().unwrap(),
            inode,
            received,
            written: 0,
            last_received: (state != State::Listen).then(|| Duration::from_millis(inode * 10)),
        }
    }

    pub(in crate::snapshot) fn connection(state: State, inode: u64, received: u32) -> Entry {
        entry(state, "10.0.0.1:80", &format!("10.0.0.2:{}", 1_000 + inode), inode, received)
    }

    #[test]
    fn a_fin_is_no_byte() {
        for (state, received, unread) in [
            (State::Established, 100, 100),
            (State::FinWait2, 100, 100),
            (State::CloseWait, 101, 100),
            (State::CloseWait, 1, 0),
            (State::CloseWait, 0, 0),
            (State::LastAck, 2, 1),
        ] {
            let found = holding(&[connection(state, 5, received)]);
            assert_eq!(found.first().map_or(0, |socket| socket.unread), unread, "{state:?} {received}");
            assert_eq!(found.len(), usize::from(unread > 0), "what holds nothing is not told");
        }
    }

    #[test]
    fn connections_that_nobody_accepted_count_at_their_listener() {
        let listener = |local: &str, inode, waiting| entry(State::Listen, local, "0.0.0.0:0", inode, waiting);
        let found = holding(&[
            listener("0.0.0.0:80", 1, 1),
            listener("10.0.0.1:80", 2, 2),
            listener("10.0.0.1:81", 3, 0),
            Entry { last_received: Some(Duration::from_secs(9)), ..connection(State::Established, 0, 40) },
            entry(State::CloseWait, "10.0.0.1:80", "10.0.0.2:9", 0, 3),
            entry(State::Established, "10.0.0.1:80", "10.0.0.2:8", 0, 7),
            // No listener has room for it, as when one was just accepted.
            entry(State::Established, "10.0.0.1:80", "10.0.0.2:7", 0, 5),
        ]);
        let told: Vec<_> = found.iter().map(|socket| (socket.entry.inode, socket.unaccepted, socket.unread)).collect();
        assert_eq!(told, [(0, 0, 5), (1, 1, 7), (2, 2, 42)]);
        assert_eq!(found[2].idle, Some(Duration::from_secs(9)), "the one that waits longest");
    }

    #[test]
    fn the_other_end_is_found_in_the_same_namespace_only() {
        let here = entry(State::Established, "10.0.0.1:80", "10.0.0.2:1", 5, 9);
        let there = entry(State::Established, "10.0.0.2:1", "10.0.0.1:80", 6, 0);
        let elsewhere = Entry { netns: 8, ..there.clone() };
        assert_eq!(holding(&[here.clone(), there])[0].other, 6);
        assert_eq!(holding(&[here, elsewhere])[0].other, 0);
    }
}
