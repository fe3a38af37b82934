//! A second network namespace at the other end of a cable: packets between the two take the way of a real network, and
//! what arrives is not processed by who sent it.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{io, mem};

use crate::deadline::until;
use crate::link;
use crate::netlink::Request;
use crate::netns::{Netns, enter, open_own};

/// The address of the namespace that the test began in.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
/// The address of the other one.
pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 2);

const NAME: &str = "veth0";
const INTERFACE: usize = mem::size_of::<libc::ifinfomsg>();

/// The other namespace. It is there as long as this or a socket in it.
pub struct Far {
    home: File,
    far: File,
    namespace: Netns,
}

impl Far {
    /// A new namespace, and the cable.
    pub fn connect() -> io::Result<Self> {
        let home = open_own()?;
        let namespace = Netns::enter()?;
        let far = open_own()?;
        enter(&home)?;
        let this = Self { home, far, namespace };
        this.plug()?;
        Ok(this)
    }

    /// Does something over there: the sockets and processes made by `body` are in the other namespace, and stay there.
    pub fn run<T>(&self, body: impl FnOnce(&Netns) -> T) -> T {
        enter(&self.far).expect("to the far namespace");
        let result = body(&self.namespace);
        enter(&self.home).expect("back home");
        result
    }

    /// Lets every packet towards the other namespace take this long (a netem queue).
    pub fn delay(&self, time: Duration) -> io::Result<()> {
        const TCA_KIND: u16 = 1;
        const TCA_OPTIONS: u16 = 2;
        /// The queue that all packets leave by (`TC_H_ROOT`).
        const ROOT: u32 = u32::MAX;
        /// Packets that may be on their way.
        const LIMIT: u32 = 100_000;
        /// The kernel's packet schedulers count in 64 ns (`PSCHED_SHIFT`).
        const TICK: u32 = 64;
        // SAFETY: the name ends in NUL.
        let index = unsafe { libc::if_nametoindex(c"veth0".as_ptr()) };
        // struct tcmsg: family, interface, handle, parent, info.
        let fixed = [0, index, 0, ROOT, 0].map(u32::to_ne_bytes).concat();
        let mut request = Request::new(libc::RTM_NEWQDISC, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &fixed);
        request.attribute(TCA_KIND, b"netem\0");
        // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
        let latency = time.as_nanos() as u32 / TICK;
        request.attribute(TCA_OPTIONS, &[latency, LIMIT, 0, 0, 0, 0].map(u32::to_ne_bytes).concat());
        request.send(libc::NETLINK_ROUTE)
    }

    fn plug(&self) -> io::Result<()> {
        const VETH_INFO_PEER: u16 = 1;
        let name = format!("{NAME}\0");
        let mut request = Request::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &[0; INTERFACE]);
        request.attribute(libc::IFLA_IFNAME, name.as_bytes());
        request.nest(libc::IFLA_LINKINFO, |info| {
            info.attribute(libc::IFLA_INFO_KIND, b"veth");
            info.nest(libc::IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.put(&[0; INTERFACE]);
                    peer.attribute(libc::IFLA_IFNAME, name.as_bytes());
                    peer.attribute(libc::IFLA_NET_NS_FD, &self.far.as_raw_fd().to_ne_bytes());
                });
            });
        });
        request.send(libc::NETLINK_ROUTE)?;
        let ready = |address| link::set_address(NAME, address).and_then(|()| link::up(NAME));
        ready(NEAR)?;
        self.run(|_| ready(FAR))?;
        let wait = || until("the cable to be ready", || link::is_running(NAME));
        wait();
        self.run(|_| wait());
        Ok(())
    }
}
