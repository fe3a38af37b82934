//! PID 1 of the test guest that `cargo xtask vm` boots: prepares the machine, runs the programs listed in `/vm`, and
//! passes out what they write and how they end.
//!
//! Everything leaves through I/O ports of QEMU, which work on any kernel without a driver: 0xe9 standard output,
//! 0xea standard error, 0xeb our own reports, 0xf4 the end. `xtask/src/vm/initramfs.rs` writes `/vm`, and
//! `xtask/src/vm/report.rs` reads the reports.

use std::{
    arch::asm,
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::{ffi::OsStrExt as _, fs::symlink, process::CommandExt as _},
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const STDOUT: u16 = 0xe9;
const STDERR: u16 = 0xea;
const REPORT: u16 = 0xeb;
const EXIT: u16 = 0xf4;

/// File systems as (type, mount point); a kernel that lacks one does without.
const MOUNTS: [(&str, &str); 12] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
    ("bpf", "/sys/fs/bpf"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("securityfs", "/sys/kernel/security"),
];

/// The order matters: 1. the ports, while no lockdown forbids them, 2. mounts, names, loopback, modules, 3. lockdown,
/// 4. the runs, 5. the end.
fn main() {
    // SAFETY: asks the kernel for access to I/O ports and touches no memory.
    if unsafe { libc::iopl(3) } != 0 {
        return; // The kernel panics when PID 1 ends, which the host shows with its console.
    }
    for (kind, point) in MOUNTS {
        attempt(&format!("mount {kind} on {point}"), || mount(kind, point));
    }
    for (target, link) in [("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/1", "/dev/stdout")] {
        attempt(&format!("link {link}"), || symlink(target, link));
    }
    attempt("set the host name", set_host_name);
    attempt("bring up loopback", loopback_up);
    for name in lines("/vm/modules") {
        attempt(&format!("load module {name}"), || load_module(&format!("/vm/ko/{name}")));
    }
    if let Ok(level) = fs::read_to_string("/vm/lockdown") {
        attempt("lock down", || fs::write("/sys/kernel/security/lockdown", level));
    }
    let seconds = fs::read_to_string("/vm/timeout").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for name in lines("/vm/runs") {
        report(&format!("start {name}"));
        let line = run(&name, Duration::from_secs(seconds));
        report(&format!("end {name} {line}"));
    }
    write_port(EXIT, &[0]);
}

/// Does one part of the preparation; a failure is told and does not stop the rest.
fn attempt(what: &str, action: impl FnOnce() -> io::Result<()>) {
    if let Err(error) = action() {
        report(&format!("cannot {what}: {error}"));
    }
}

fn report(line: &str) {
    write_port(REPORT, format!("{line}\n").as_bytes());
}

fn write_port(port: u16, bytes: &[u8]) {
    // SAFETY: `iopl` gave access to the ports; the instruction only reads `bytes`, forwards as the ABI's clear
    // direction flag says.
    unsafe {
        asm!("rep outsb", inout("rsi") bytes.as_ptr() => _, inout("rcx") bytes.len() => _, in("dx") port,
            options(nostack, preserves_flags, readonly));
    }
}

fn lines(path: &str) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// `Ok` of what a system call returned.
fn checked(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn mount(kind: &str, point: &str) -> io::Result<()> {
    if !Path::new(point).is_dir() {
        fs::create_dir_all(point)?;
    }
    let (kind, point) = (CString::new(kind)?, CString::new(point)?);
    // SAFETY: three strings that end in NUL and no data.
    checked(unsafe { libc::mount(kind.as_ptr(), point.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) }.into())
}

fn set_host_name() -> io::Result<()> {
    const NAME: &str = "guest";
    // SAFETY: the name is as long as said.
    checked(unsafe { libc::sethostname(NAME.as_ptr().cast(), NAME.len()) }.into())
}

fn loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all bytes zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is one of this call, and lives until it returns.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) }.into())
}

fn load_module(path: &str) -> io::Result<()> {
    let file = fs::File::open(path)?;
    // SAFETY: an open file, an empty string of parameters, no flags.
    checked(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) })
}

/// Words of a file, each ended by a NUL.
fn words(path: &str) -> Vec<std::ffi::OsString> {
    let bytes = fs::read(path).unwrap_or_default();
    let words = bytes.split_inclusive(|&byte| byte == 0).map(|word| word.strip_suffix(&[0]).unwrap_or(word));
    words.map(|word| std::ffi::OsStr::from_bytes(word).to_owned()).collect()
}

/// Runs one program to its end and kills what it left behind. Gives the report's words.
fn run(name: &str, timeout: Duration) -> String {
    let start = Instant::now();
    let mut relayed = [0, 0];
    let end = match run_program(name, start + timeout, &mut relayed) {
        Ok(Some(status)) if libc::WIFSIGNALED(status) => {
            format!("exit {}", 128 + libc::WTERMSIG(status))
        }
        Ok(Some(status)) => format!("exit {}", libc::WEXITSTATUS(status)),
        Ok(None) => "timeout".to_owned(),
        Err(error) => {
            report(&format!("cannot run {name}: {error}"));
            "exit 127".to_owned()
        }
    };
    // SAFETY: for PID 1, -1 means every process but itself.
    unsafe { libc::kill(-1, libc::SIGKILL) };
    // Until nothing is left: the next run starts on a clean machine.
    while reap(0).is_some() {}
    format!("{end} stdout {} stderr {} ms {}", relayed[0], relayed[1], start.elapsed().as_millis())
}

/// The wait status, or `None` when the time was up.
fn run_program(name: &str, deadline: Instant, relayed: &mut [usize; 2]) -> io::Result<Option<libc::c_int>> {
    /// How long a silent pipe stays open after the program's end, as a grandchild may hold it.
    const SILENCE: Duration = Duration::from_millis(50);
    let argv = words(&format!("/vm/{name}/argv"));
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for word in words(&format!("/vm/{name}/env")) {
        let mut parts = word.as_bytes().splitn(2, |&byte| byte == b'=').map(std::ffi::OsStr::from_bytes);
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            command.env(name, value);
        }
    }
    let mut child = command.spawn()?;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut status = None;
    loop {
        let fds = [stdout.as_ref().map(|pipe| pipe.as_raw_fd()), stderr.as_ref().map(|pipe| pipe.as_raw_fd())];
        let ready = poll(fds, SILENCE);
        if ready[0] {
            relay(&mut stdout, STDOUT, &mut relayed[0]);
        }
        if ready[1] {
            relay(&mut stderr, STDERR, &mut relayed[1]);
        }
        // Also buries orphans, which come to PID 1.
        while let Some((pid, ended)) = reap(libc::WNOHANG) {
            if u32::try_from(pid) == Ok(child.id()) {
                status = Some(ended);
            }
        }
        if status.is_some() && ready == [false, false] {
            return Ok(status);
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
    }
}

/// Passes one reading of a pipe on to its port, and closes the pipe at its end.
fn relay(pipe: &mut Option<impl io::Read>, port: u16, relayed: &mut usize) {
    let mut buffer = [0; 1 << 16];
    match pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut buffer)) {
        Ok(0) | Err(_) => *pipe = None,
        Ok(length) => {
            write_port(port, &buffer[..length]);
            *relayed += length;
        }
    }
}

/// Which of two descriptors has something to read; a closed one has not.
fn poll(fds: [Option<RawFd>; 2], timeout: Duration) -> [bool; 2] {
    // The kernel skips negative descriptors.
    let mut table = fds.map(|fd| libc::pollfd { fd: fd.unwrap_or(-1), events: libc::POLLIN, revents: 0 });
    let milliseconds = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the table has two entries and lives through the call.
    unsafe { libc::poll(table.as_mut_ptr(), 2, milliseconds) };
    table.map(|entry| entry.revents != 0)
}

/// Any ended child and its wait status.
fn reap(flags: libc::c_int) -> Option<(libc::pid_t, libc::c_int)> {
    let mut status = 0;
    // SAFETY: the status is written to a variable of ours.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    (pid > 0).then_some((pid, status))
}
