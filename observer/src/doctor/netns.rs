//! A network namespace for the self-test: its own loopback and ports, nobody else's traffic.

use std::{
    fs::{self, File},
    io, mem,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    thread,
};

use super::report::Check;

/// Does something in a thread that leaves the network namespace of this process for a new one, whose inode it is given.
///
/// # Errors
/// A check of this name that says what is in the way.
pub(crate) fn run<T: Send + 'static>(
    check: &str,
    body: impl FnOnce(u32) -> Result<T, Check> + Send + 'static,
) -> Result<T, Check> {
    let name = check.to_owned();
    let within = move || {
        let namespace = enter().map_err(|error| {
            Check::skipped(name, format!("no network namespace of its own can be made here: {error}"))
                .with_remedy("it needs CAP_SYS_ADMIN and CAP_NET_ADMIN")
        })?;
        body(namespace)
    };
    let fault = |error: String| Err(Check::failed(check, error, "please report it"));
    match thread::Builder::new().name(check.replace('_', "-")).spawn(within).map(thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => fault("its thread has panicked".to_owned()),
        Err(error) => fault(format!("cannot start its thread: {error}")),
    }
}

/// Moves the calling thread into a new namespace, brings its loopback up, and gives the namespace's inode.
///
/// # Errors
/// When this process may not, or the kernel has no network namespaces.
fn enter() -> io::Result<u32> {
    // SAFETY: a system call without pointers; only the calling thread changes its namespace.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    loopback_up()?;
    let inode = fs::metadata("/proc/thread-self/ns/net")?.ino();
    u32::try_from(inode).map_err(io::Error::other)
}

fn loopback_up() -> io::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *slot = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the kernel reads one ifreq.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) })
}

/// A socket of a kind that the standard library does not make.
pub(crate) fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<File> {
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, protocol) };
    check(fd)?;
    // SAFETY: just opened, owned by nobody else.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The error of a system call that says -1.
pub(crate) fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
