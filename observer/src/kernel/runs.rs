//! How often the kernel has run the programs, and how long: `/proc/self/fdinfo` of each, and the kernel's clock.

use std::{
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd},
    time::Duration,
};

use crate::procfile;

/// What one program has done since it was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramRuns {
    /// Its hook, as `tp_btf/tcp_send_reset`.
    pub hook: String,
    /// Runs that were measured: only while a [`RunClock`] is alive, or with `kernel.bpf_stats_enabled=1` (5.1).
    pub runs: u64,
    /// Time that these took.
    pub time: Duration,
}

/// What the kernel says of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) runs: u64,
    pub(super) time: Duration,
    /// Runs that the kernel skipped, since the program was running on that CPU already (5.12; 0 before).
    pub(super) misses: u64,
}

impl Figures {
    /// Of the program behind a descriptor of this process; zeros when it is not there.
    pub(super) fn read(fd: i32) -> Self {
        fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
            .map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let number = |name| procfile::field_of(text, name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Self {
            runs: number("run_cnt"),
            time: Duration::from_nanos(number("run_time_ns")),
            misses: number("recursion_misses"),
        }
    }
}

/// Makes the kernel measure its programs, all of the host, as long as it lives.
#[derive(Debug)]
pub struct RunClock {
    _fd: OwnedFd,
}

impl RunClock {
    /// `BPF_ENABLE_STATS` with `BPF_STATS_RUN_TIME`, which is 0.
    ///
    /// # Errors
    /// Before 5.8, and without CAP_SYS_ADMIN.
    pub fn start() -> io::Result<Self> {
        const BPF_ENABLE_STATS: libc::c_int = 32;
        /// `union bpf_attr`, as far as the command reads it.
        #[repr(C)]
        struct Attributes {
            kind: u32,
            padding: u32,
        }
        let attributes = Attributes { kind: 0, padding: 0 };
        let length = size_of::<Attributes>();
        // SAFETY: the kernel reads `length` bytes of `attributes`.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_ENABLE_STATS, &raw const attributes, length) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: just opened, owned by nobody else.
        Ok(Self { _fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_name_and_missing_ones_are_zero() {
        let text = "pos:\t0\nflags:\t02\nprog_type:\t26\nrun_time_ns:\t1500\nrun_cnt:\t3\nrecursion_misses:\t2\n";
        let figures = Figures { runs: 3, time: Duration::from_nanos(1_500), misses: 2 };
        assert_eq!(Figures::parse(text), figures);
        assert_eq!(Figures::parse("run_cnt:\t3\n"), Figures { runs: 3, ..Figures::default() });
        assert_eq!(Figures::read(-1), Figures::default());
    }
}
