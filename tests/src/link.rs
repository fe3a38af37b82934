//! Interfaces of the calling thread's namespace, set up by ioctl: a guest has no `ip`.

use std::ffi::{c_int, c_ulong};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{io, mem};

/// Sets an interface up.
pub fn up(name: &str) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as _;
    set(libc::SIOCSIFFLAGS, &request)
}

/// Whether packets pass: it is up, and so is its other end.
pub fn is_running(name: &str) -> bool {
    let mut request = request(name);
    let socket = control_socket(libc::AF_INET).expect("a socket");
    // SAFETY: the kernel reads and writes one ifreq.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) }).expect(name);
    // SAFETY: the flags are what was just written.
    i32::from(unsafe { request.ifr_ifru.ifru_flags }) & libc::IFF_RUNNING != 0
}

/// Gives an interface its address in a network of 256, to which the kernel adds the route once it is up.
pub fn set_address(name: &str, address: Ipv4Addr) -> io::Result<()> {
    for (what, value) in [(libc::SIOCSIFADDR, address), (libc::SIOCSIFNETMASK, Ipv4Addr::new(255, 255, 255, 0))] {
        // SAFETY: sockaddr_in is plain data, and as large as the sockaddr it stands for.
        let mut sockaddr: libc::sockaddr_in = unsafe { mem::zeroed() };
        sockaddr.sin_family = libc::AF_INET as _;
        sockaddr.sin_addr.s_addr = u32::from(value).to_be();
        let mut request = request(name);
        // SAFETY: as above.
        request.ifr_ifru.ifru_addr = unsafe { mem::transmute::<libc::sockaddr_in, libc::sockaddr>(sockaddr) };
        set(what, &request)?;
    }
    Ok(())
}

/// A request about one interface.
pub(crate) fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as _;
    }
    request
}

fn set(what: c_ulong, request: &libc::ifreq) -> io::Result<()> {
    let socket = control_socket(libc::AF_INET)?;
    // SAFETY: the kernel reads one ifreq.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &raw const *request) })
}

/// A socket for requests only.
pub(crate) fn control_socket(family: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a descriptor that is not negative is ours alone.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(fd)?;
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a system call said.
pub(crate) fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
