//! `out_of_memory`: closes while the machine allows no orphans (`net.ipv4.tcp_max_orphans`, one value for all
//! namespaces, and to be found in the first of them only: for a guest).

use std::fs;
use std::net::TcpStream;

use crate::act::Act;
use crate::counters::Counters;
use crate::deadline::until;
use crate::late::LONG_LINGER2;
use crate::pair::{Family, Pair};
use crate::sock;

const MAXIMUM: &str = "/proc/sys/net/ipv4/tcp_max_orphans";

/// Allows no orphans while it lives; to be made and dropped outside of private namespaces.
pub struct NoOrphans(String);

impl NoOrphans {
    /// From now on.
    pub fn begin() -> Self {
        let before = fs::read_to_string(MAXIMUM).expect(MAXIMUM);
        fs::write(MAXIMUM, "0").expect(MAXIMUM);
        Self(before)
    }
}

impl Drop for NoOrphans {
    fn drop(&mut self) {
        fs::write(MAXIMUM, self.0.trim()).expect(MAXIMUM);
    }
}

/// Under [`NoOrphans`], closes connections in order until one is refused its FIN for want of memory: that one is
/// returned, with the peers of all, since their closes would be refused too. The first orphan may be one too many, or
/// some go well before: newer kernels look at a sum that they renew every 100 ms.
pub fn out_of_memory() -> (Act, Vec<TcpStream>) {
    let counter = || Counters::read().tcp_ext("TCPAbortOnMemory");
    let before = counter();
    let (mut act, mut peers) = (None, Vec::new());
    until("a close to fail for want of memory", || {
        let Pair { client, server } = Pair::connect(Family::V4);
        sock::linger2(&client, LONG_LINGER2);
        act = Some(Act::of(&client, 0));
        drop(client);
        peers.push(server);
        counter() > before
    });
    (act.expect("a close"), peers)
}
