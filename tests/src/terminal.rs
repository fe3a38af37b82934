//! A terminal for a process under observation.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A pseudo terminal. Whoever it controls loses it when this is dropped.
pub struct Terminal {
    _master: rustix::fd::OwnedFd,
    slave: File,
}

impl Terminal {
    /// Opens one.
    pub fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let slave =
            rustix::fs::open(name, rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY, rustix::fs::Mode::empty());
        Self { _master: master, slave: slave.expect("its other end").into() }
    }

    /// Makes a command's process a session leader that this terminal controls.
    pub fn control(&self, command: &mut Command) {
        let slave = self.slave.as_raw_fd();
        let become_leader = move || {
            // SAFETY: system calls without pointers, both allowed between fork and exec.
            let done = unsafe { libc::setsid() >= 0 && libc::ioctl(slave, libc::TIOCSCTTY, 0) == 0 };
            if done { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: as above; the descriptor is open as long as `self`.
        unsafe { command.pre_exec(become_leader) };
    }
}
