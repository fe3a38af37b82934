//! The rate of this machine's time-stamp counter, which under TCG is the guest's too.

use std::{
    arch::x86_64::_rdtsc,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// Counter and clock at one moment, and how many ticks it took to read both.
fn sample() -> (u64, Instant, u64) {
    // SAFETY: every x86-64 CPU has the instruction, and Linux allows it in user space.
    let before = unsafe { _rdtsc() };
    let clock = Instant::now();
    // SAFETY: as above.
    let after = unsafe { _rdtsc() };
    (before + (after - before) / 2, clock, after - before)
}

/// The rate in kHz: of three measurements the one with the quickest readings, since a slow one was interrupted.
pub(crate) fn khz() -> u64 {
    static KHZ: OnceLock<u64> = OnceLock::new();
    const SPAN: Duration = Duration::from_millis(20);
    let measure = || {
        let (first, start, delay) = sample();
        thread::sleep(SPAN);
        let (last, end, more_delay) = sample();
        let nanoseconds = (end - start).as_nanos().max(1);
        let khz = u128::from(last - first) * 1_000_000 / nanoseconds;
        (delay + more_delay, u64::try_from(khz).unwrap_or(u64::MAX))
    };
    *KHZ.get_or_init(|| (0..3).map(|_| measure()).min().map_or(0, |(_, khz)| khz))
}
