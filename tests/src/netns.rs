//! A private network namespace for one test: its own loopback, ports, TIME_WAIT sockets and TCP counters.
//!
//! A namespace belongs to a thread. The body runs in a new thread, and the threads and processes started there
//! inherit the namespace; the runner's threads never leave theirs.

use std::ffi::c_int;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::{fs, io, panic, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::counters::Counters;
use crate::link::{self, check, control_socket};

/// Name of the thread that runs a test body; the observer must report it as the thread's name.
pub const THREAD_NAME: &str = "test-body";

/// The namespace of the calling thread. Not `Send`: another thread is in another namespace.
pub struct Netns {
    inode: u64,
    _bound_to_thread: std::marker::PhantomData<*const ()>,
}

/// One of several namespaces between which a thread goes to and fro. It is in the last one that was made or entered.
pub struct Entered {
    inode: u64,
    file: fs::File,
}

impl Entered {
    /// Makes a namespace whose loopback is up, and moves the calling thread into it.
    pub fn new() -> io::Result<Self> {
        let inode = Netns::enter()?.inode;
        Ok(Self { inode, file: open_own()? })
    }

    /// Moves the calling thread into it.
    pub fn enter(&self) {
        enter(&self.file).expect("a namespace of this process");
    }

    /// The number the observer calls `network.namespace`.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Its TCP counters now; the calling thread stays in it.
    pub fn counters(&self) -> Counters {
        self.enter();
        Counters::read()
    }
}

impl Netns {
    /// Runs `body` in a new namespace whose loopback is up. A panic of the body is passed on.
    pub fn run<T: Send>(body: impl FnOnce(&Netns) -> T + Send) -> T {
        let result = thread::scope(|scope| {
            thread::Builder::new()
                .name(THREAD_NAME.into())
                .spawn_scoped(scope, || body(&Netns::enter().expect("a private network namespace")))
                .expect("a thread")
                .join()
        });
        result.unwrap_or_else(|cause| panic::resume_unwind(cause))
    }

    /// Whether this process may make a namespace, and `attempt` something in it.
    pub fn probe(attempt: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        thread::spawn(|| Netns::enter().and_then(|_namespace| attempt())).join().expect("the probe does not panic")
    }

    pub(crate) fn enter() -> io::Result<Self> {
        // SAFETY: unshare takes no pointers; only the calling thread changes its namespace.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        link::up("lo")?;
        let inode = fs::metadata("/proc/thread-self/ns/net")?.ino();
        Ok(Self { inode, _bound_to_thread: std::marker::PhantomData })
    }

    /// The number the observer calls `network.namespace`.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The TCP counters of this namespace now.
    pub fn counters(&self) -> Counters {
        Counters::read()
    }

    /// Lets a megabyte wait in a receive queue of any program of this namespace, also of those that never ask for it.
    pub fn wide_windows(&self) {
        fs::write("/proc/sys/net/ipv4/tcp_rmem", "4096 6291456 8388608").expect("net.ipv4.tcp_rmem");
    }

    /// Keeps any program of this namespace from having more than some kilobytes on their way.
    pub fn small_send_buffers(&self) {
        fs::write("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 16384").expect("net.ipv4.tcp_wmem");
    }

    /// How long a closed connection waits for the peer's FIN (`net.ipv4.tcp_fin_timeout`). Up to a minute it waits as a
    /// time-wait minisocket, beyond as a whole socket.
    pub fn set_fin_timeout(&self, seconds: u32) {
        fs::write("/proc/sys/net/ipv4/tcp_fin_timeout", seconds.to_string()).expect("net.ipv4.tcp_fin_timeout");
    }

    /// Adds an IPv4 address to the loopback, under a label of its own.
    pub fn add_ipv4(&self, address: Ipv4Addr) {
        link::set_address(&format!("lo:{}", u32::from(address) % 1_000_000), address).expect("an address on lo");
    }

    /// Adds an IPv6 address to the loopback, which has `::1` only.
    pub fn add_ipv6(&self, address: Ipv6Addr) {
        #[repr(C)]
        struct In6Ifreq {
            address: [u8; 16],
            prefix_length: u32,
            index: c_int,
        }
        let request = In6Ifreq { address: address.octets(), prefix_length: 128, index: 1 };
        let socket = control_socket(libc::AF_INET6).expect("an IPv6 socket");
        // SAFETY: the kernel reads a struct in6_ifreq, laid out as above, for SIOCSIFADDR on an AF_INET6 socket.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFADDR as _, &raw const request) })
            .expect("an address on lo");
    }
}

/// The namespace that the calling thread is in.
pub(crate) fn open_own() -> io::Result<fs::File> {
    fs::File::open("/proc/thread-self/ns/net")
}

/// Moves the calling thread into a namespace.
pub(crate) fn enter(namespace: &fs::File) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}
