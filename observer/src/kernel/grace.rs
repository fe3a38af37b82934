//! Waiting for programs that are running.

use std::{thread::sleep, time::Duration};

/// Longer than a program takes, be it preempted on a machine with one CPU, where nothing else waits for it.
const PAUSE: Duration = Duration::from_millis(1);

/// The same where nothing waits for programs on other CPUs.
const LONG_PAUSE: Duration = Duration::from_millis(20);

/// `MEMBARRIER_CMD_GLOBAL` of `linux/membarrier.h`.
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;

/// Waits until every program that runs now has ended, as far as can be told.
pub(super) fn settle() {
    sleep(if wait() { PAUSE } else { LONG_PAUSE });
}

/// Waits until every program has ended that is running now on another CPU: membarrier(2) waits for a grace period of
/// RCU. False where that is not allowed, or not to be had (`nohz_full`).
pub(super) fn wait() -> bool {
    // SAFETY: a system call without pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 }
}
