//! What a process in the sandbox tries. Only what fails or harms nobody: the process ends at once.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::PermissionsExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::PathBuf,
    process::Command,
    ptr,
};

use libc::{c_int, c_long};

/// `ok`, or the name of the error.
pub(super) type Outcome = String;

pub(super) fn attempt<T>(act: impl FnOnce() -> io::Result<T>) -> Outcome {
    match act() {
        Ok(_) => "ok".to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM) => "EPERM".to_owned(),
            Some(libc::EACCES) => "EACCES".to_owned(),
            Some(libc::ENOSYS) => "ENOSYS".to_owned(),
            Some(libc::EBADF) => "EBADF".to_owned(),
            _ => error.to_string(),
        },
    }
}

/// A system call's result.
fn call(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What cannot be made any more once the filters are in force.
pub(super) struct Prepared {
    file: PathBuf,
}

impl Prepared {
    pub(super) fn new() -> Self {
        let file = std::env::temp_dir().join(format!("conn-observer-sandboxed-{}", std::process::id()));
        fs::write(&file, "own").unwrap();
        Self { file }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// What harms nobody where it is allowed.
pub(super) fn harmless(before: &Prepared, parent: u32, note: &mut impl FnMut(&str, Outcome)) {
    note("fork", attempt(|| in_a_child(|| 0)));
    note("exec", execute());
    note("thread", attempt(|| std::thread::Builder::new().spawn(|| ())));
    note("mode of own file", attempt(|| fs::set_permissions(&before.file, fs::Permissions::from_mode(0o600))));
    note("write own file", attempt(|| fs::write(&before.file, "again")));
    note("signal to another", of(libc::SYS_kill, [parent.into(), 0, 0, 0]));
    note("signal to itself", of(libc::SYS_kill, [std::process::id().into(), 0, 0, 0]));
    note("writable code", map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC));
    note("writable memory", map(libc::PROT_READ | libc::PROT_WRITE));
    of_proc(parent, note);
}

/// What only a process should try that is not allowed to.
pub(super) fn harmful(parent: u32, note: &mut impl FnMut(&str, Outcome)) {
    let other = c_long::from(parent);
    note("process by clone", of(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0]));
    note("clone3", of(libc::SYS_clone3, [0; 4]));
    note("x32", of(0x4000_0000 + libc::SYS_getpid, [0; 4]));
    note("a call of the future", of(900, [0; 4]));
    note("ptrace", of(libc::SYS_ptrace, [libc::PTRACE_PEEKDATA as c_long, other, 0, 0]));
    note("memory of another", of(libc::SYS_process_vm_readv, [other, 0, 0, 0]));
    note("bpf: load", of(libc::SYS_bpf, [5, 0, 0, 0]));
    let map_of_nobody = [u64::from(u32::MAX), 0, 0, 0];
    let attributes = [1, map_of_nobody.as_ptr() as c_long, size_of_val(&map_of_nobody) as c_long, 0];
    note("bpf: read a map", of(libc::SYS_bpf, attributes));
    note("new user namespace", of(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0]));
    note("code made executable", of(libc::SYS_mprotect, [0, 0, (libc::PROT_READ | libc::PROT_EXEC).into(), 0]));
    note("other user", of(libc::SYS_setresuid, [1, 1, 1, 0]));
    note("io_uring", of(libc::SYS_io_uring_setup, [1, 0, 0, 0]));
    note("perf event", of(libc::SYS_perf_event_open, [0; 4]));
    note("terminal input", of(libc::SYS_ioctl, [0, libc::TIOCSTI as c_long, 0, 0]));
    note("affinity of another", of(libc::SYS_sched_setaffinity, [other, 0, 0, 0]));
    note("own affinity", own_affinity());
    note("limits of another", of(libc::SYS_prlimit64, [other, 0, 0, 0]));
    note("own limits", of(libc::SYS_prlimit64, [0; 4]));
    note("keys", of(libc::SYS_keyctl, [0; 4]));
    note("ip socket", socket(libc::AF_INET, libc::SOCK_STREAM, 0));
    note("ipv6 socket", socket(libc::AF_INET6, libc::SOCK_DGRAM, 0));
    note("unix socket", socket(libc::AF_UNIX, libc::SOCK_STREAM, 0));
    note("packet socket", socket(libc::AF_PACKET, libc::SOCK_RAW, 0));
    note("netlink: sock_diag", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG));
    note("addresses", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE));
}

/// What `/proc` shows of another process.
pub(super) fn of_proc(other: u32, note: &mut impl FnMut(&str, Outcome)) {
    note("exe of another", attempt(|| fs::read_link(format!("/proc/{other}/exe"))));
    note("root of another", attempt(|| fs::read_dir(format!("/proc/{other}/root/"))));
    note("namespace of another", attempt(|| fs::read_link(format!("/proc/{other}/ns/net"))));
    note("maps of another", attempt(|| fs::read(format!("/proc/{other}/maps"))));
}

/// Sends to an abstract socket of the test.
pub(super) fn abstract_socket(parent: u32) -> Outcome {
    attempt(|| {
        let address = SocketAddr::from_abstract_name(abstract_name(parent))?;
        UnixDatagram::unbound()?.connect_addr(&address)
    })
}

pub(super) fn abstract_name(parent: u32) -> String {
    format!("conn-observer-test-{parent}")
}

/// Executes a program in place of this one when nothing stops it, in a child where there can be one.
fn execute() -> Outcome {
    match attempt(|| in_a_child(|| 0)).as_str() {
        "ok" => attempt(|| Command::new("/bin/true").status()),
        _ => {
            let arguments = [c"/bin/true".as_ptr(), ptr::null()];
            // SAFETY: two strings and a list of them that ends in null, all alive.
            attempt(|| call(unsafe { libc::execv(arguments[0], arguments.as_ptr()) }.into()))
        }
    }
}

/// Forks; the child ends at once.
fn in_a_child(act: impl FnOnce() -> c_int) -> io::Result<c_long> {
    // SAFETY: the child makes plain system calls only.
    match unsafe { libc::fork() } {
        // SAFETY: ends the child without any destructor.
        0 => unsafe { libc::_exit(act()) },
        child => {
            let child = call(child.into())?;
            // SAFETY: the status is not wanted.
            call(unsafe { libc::waitpid(child as c_int, ptr::null_mut(), 0) }.into())
        }
    }
}

fn of(number: c_long, arguments: [c_long; 4]) -> Outcome {
    attempt(|| call(raw(number, arguments)))
}

fn raw(number: c_long, arguments: [c_long; 4]) -> c_long {
    let [a, b, c, d] = arguments;
    // SAFETY: every caller passes numbers, null, or memory that is alive.
    unsafe { libc::syscall(number, a, b, c, d, 0, 0) }
}

fn map(protection: c_int) -> Outcome {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh memory, which nobody uses.
    attempt(|| call(unsafe { libc::syscall(libc::SYS_mmap, 0, 4_096, protection, flags, -1, 0) }))
}

fn own_affinity() -> Outcome {
    let mut set = [0_u64; 128];
    let size = size_of_val(&set) as c_long;
    raw(libc::SYS_sched_getaffinity, [0, size, set.as_mut_ptr() as c_long, 0]);
    of(libc::SYS_sched_setaffinity, [0, size, set.as_ptr() as c_long, 0])
}

/// The descriptor stays open until the process ends.
fn socket(family: c_int, kind: c_int, protocol: c_int) -> Outcome {
    of(libc::SYS_socket, [family.into(), kind.into(), protocol.into(), 0])
}
