//! Kernel time to wall-clock time.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of a clock.
fn now(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

/// Offset between CLOCK_BOOTTIME, which the kernel side stamps with, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: i128,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        Self { offset: now(ClockId::Realtime) - now(ClockId::Boottime) }
    }

    /// A clock with a fixed offset in nanoseconds.
    #[must_use]
    pub fn with_offset(offset: i128) -> Self {
        Self { offset }
    }

    /// RFC 3339 text of a time of CLOCK_BOOTTIME, in nanoseconds.
    #[must_use]
    pub fn wall(&self, boot_ns: u64) -> String {
        format_nanoseconds(self.offset + i128::from(boot_ns))
    }
}

/// RFC 3339 text of the present.
#[must_use]
pub fn wall_now() -> String {
    format_nanoseconds(now(ClockId::Realtime))
}

fn format_nanoseconds(nanoseconds: i128) -> String {
    let timestamp = Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_becomes_wall_time_with_nine_digits() {
        let clock = Clock::with_offset(1_700_000_000_000_000_000);
        assert_eq!(clock.wall(1), "2023-11-14T22:13:20.000000001Z");
    }
}
