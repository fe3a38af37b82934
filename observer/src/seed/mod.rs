//! Who owns the TCP sockets that exist already: read from `/proc` alone, so it works on every kernel and under lockdown.
//!
//! Of several processes that hold a socket, the one with the highest id counts as its owner: the youngest, unless ids
//! have wrapped. A process that hands a connection to a child, or is started with one, leaves it to the younger one; so
//! does whoever makes a listener for its workers. Sockets without an inode have no owner: orphans, whose close came before
//! us, connections that nobody has accepted yet, and minisockets.

mod holder;
mod owner;
mod table;

use std::{collections::HashMap, io};

use observer_ebpf::{COMM_LEN, Endpoints};

pub(crate) use self::holder::sockets_of;
use self::{holder::Search, owner::Owner, table::Row};
use crate::netns::{self, Member};

/// A socket with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Both ends and the namespace. The peer of a listener is all zeroes (`::` or `::ffff:0.0.0.0`, port 0).
    pub endpoints: Endpoints,
    /// Process id of the owner.
    pub pid: u32,
    /// Thread id: which thread made the socket is not known, so it is the process.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Name of the process, NUL-padded.
    pub comm: [u8; COMM_LEN],
    /// Inode of its directory in the unified (v2) hierarchy; 0 when unknown.
    pub cgroup_id: u64,
    /// When the process started, ns of CLOCK_BOOTTIME, to ten milliseconds.
    pub start_ns: u64,
    /// It listens.
    pub listening: bool,
}

/// How complete the seeds are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedStats {
    /// Network namespaces that were read.
    pub namespaces: u32,
    /// Those that could not be.
    pub unreadable_namespaces: u32,
    /// Sockets that have an owner somewhere: listeners, and connections that are under way, established or closing.
    pub sockets: u32,
    /// Of those, the ones whose owner was not found: held by the kernel, in flight between processes, or by a process
    /// that could not be read.
    pub unowned: u32,
    /// Processes whose files were looked through.
    pub processes: u32,
    /// Processes that did not let us.
    pub unreadable_processes: u32,
}

/// Every TCP socket of these network namespaces, or of every one that some process is in, as far as an owner is found.
#[must_use]
pub fn sockets(namespaces: &[u32]) -> (Vec<Seed>, SeedStats) {
    let mut stats = SeedStats::default();
    let mut rows = Vec::new();
    for member in netns::chosen(&namespaces.iter().copied().collect()).into_values() {
        match read(&member, &mut rows) {
            Ok(()) => stats.namespaces += 1,
            // It went away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => stats.unreadable_namespaces += 1,
        }
    }
    stats.sockets = count(rows.len());
    let search = Search::of(rows.iter().map(|row| row.inode));
    let found = search.run();
    stats.processes = found.processes;
    stats.unreadable_processes = found.unreadable;
    let mut owners: HashMap<u32, Option<Owner>> = HashMap::new();
    let mut seeds = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(pid) = found.holders.get(&row.inode) else { continue };
        let Some(owner) = owners.entry(*pid).or_insert_with(|| Owner::read(*pid)) else { continue };
        seeds.push(Seed {
            endpoints: row.endpoints,
            pid: *pid,
            tid: *pid,
            uid: owner.uid,
            comm: owner.comm,
            cgroup_id: owner.cgroup_id,
            start_ns: owner.start_ns,
            listening: row.listening,
        });
    }
    stats.unowned = stats.sockets - count(seeds.len());
    (seeds, stats)
}

/// Adds the sockets of a namespace.
fn read(member: &Member, rows: &mut Vec<Row>) -> io::Result<()> {
    // The kernel walks the table of all namespaces for each of them: a namespace without such sockets is spared that.
    let is_empty = |counts: &str| member.read(counts).is_ok_and(|counts| table::is_empty(&counts));
    if !is_empty("sockstat") {
        rows.extend(table::parse(&member.read("tcp")?, member.inode()));
    }
    // There is no `tcp6` in a kernel without IPv6.
    if !is_empty("sockstat6")
        && let Ok(ipv6) = member.read("tcp6")
    {
        rows.extend(table::parse(&ipv6, member.inode()));
    }
    Ok(())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        net::{SocketAddr, TcpListener, TcpStream},
    };

    use super::*;

    fn mapped(address: SocketAddr) -> [u32; 4] {
        let SocketAddr::V4(address) = address else { panic!("IPv4") };
        [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes(address.ip().octets())]
    }

    #[test]
    fn both_ends_of_a_connection_and_its_listener_are_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (seeds, stats) = sockets(&[]);
        let ports: HashMap<(u16, u16), Seed> =
            seeds.iter().map(|seed| ((seed.endpoints.local_port, seed.endpoints.peer_port), *seed)).collect();
        let (near, far) = (client.local_addr().unwrap(), server.local_addr().unwrap());
        let name = std::fs::read("/proc/self/comm").unwrap();
        for (ends, listening) in
            [((near.port(), far.port()), false), ((far.port(), near.port()), false), ((far.port(), 0), true)]
        {
            let seed = ports[&ends];
            assert_eq!((seed.pid, seed.tid), (std::process::id(), std::process::id()));
            assert_eq!(seed.uid, rustix::process::getuid().as_raw());
            assert_eq!(seed.listening, listening);
            assert!(name.starts_with(seed.comm.split(|byte| *byte == 0).next().unwrap()));
            assert_eq!(seed.endpoints.local, mapped(far));
            assert_eq!(seed.endpoints.netns, netns::own().unwrap().inode());
        }
        assert!(stats.sockets >= 3 && stats.namespaces >= 1, "{stats:?}");
        assert_eq!(stats.sockets - stats.unowned, u32::try_from(seeds.len()).unwrap());
    }
}
