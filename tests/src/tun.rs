//! A TUN device in the test's namespace: behind it lives a peer whose every segment is made by hand.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};

use crate::deadline::DEADLINE;
use crate::link::{self, check};
use crate::segment::Segment;

/// The address of this machine.
pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The address of the scripted peer.
pub const THERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

const NAME: &str = "tun0";

/// An open device. It goes away when dropped.
pub struct Tun {
    file: File,
    next_port: Cell<u16>,
}

impl Tun {
    /// A device in the calling thread's namespace, with an address and a route.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
        let mut request = link::request(NAME);
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as _;
        // SAFETY: the kernel reads and writes one ifreq.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) })?;
        link::set_address(NAME, HERE)?;
        link::up(NAME)?;
        Ok(Self { file, next_port: Cell::new(1000) })
    }

    /// An address of the scripted peer that was not used yet.
    pub fn unused(&self) -> SocketAddrV4 {
        self.next_port.set(self.next_port.get() + 1);
        SocketAddrV4::new(THERE, self.next_port.get())
    }

    /// Lets a segment arrive. It has been processed when this returns, unless a process just holds its socket.
    pub fn send(&self, segment: &Segment) {
        (&self.file).write_all(&segment.encode()).expect("a packet for the kernel");
    }

    /// The next segment that the kernel sends.
    pub fn receive(&self) -> Segment {
        let end = Instant::now() + DEADLINE;
        let mut packet = [0; 2048];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the kernel sends nothing");
            let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
            let timeout = rustix::event::Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
            if poll(&mut ready, Some(&timeout)).expect("poll") == 0 {
                continue;
            }
            let length = (&self.file).read(&mut packet).expect("a packet of the kernel");
            // The kernel also looks for IPv6 routers.
            if let Some(segment) = Segment::decode(&packet[..length]) {
                return segment;
            }
        }
    }
}
