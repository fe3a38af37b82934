//! The machine's clock, put forward and back: for a guest, since no namespace has one of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, mem};

/// The clock as it goes without us. Put right when this is dropped.
pub struct WallClock {
    time: Duration,
    read: Instant,
}

impl WallClock {
    /// Reads it.
    pub fn keep() -> Self {
        Self { time: now(), read: Instant::now() }
    }

    /// Puts it to so many seconds after the right time, or before it.
    pub fn set(&self, seconds: i64) {
        let right = self.time + self.read.elapsed();
        // SAFETY: all zeroes are a time.
        let mut time: libc::timespec = unsafe { mem::zeroed() };
        time.tv_sec = i64::try_from(right.as_secs()).expect("a time") + seconds;
        time.tv_nsec = right.subsec_nanos().into();
        // SAFETY: the kernel reads the time.
        let result = unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Seconds since 1970 of a time as events have it, `2026-01-01T00:00:00.000000000Z` (days as in chrono's and everybody's
/// proleptic Gregorian calendar).
pub fn seconds(time: &str) -> i64 {
    let number = |from: usize, to: usize| time[from..to].parse::<i64>().unwrap_or_else(|_| panic!("a time: {time}"));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // March is the first month, so that the odd day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    days * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19)
}

/// Seconds since 1970 by the clock as it is.
pub fn now_seconds() -> i64 {
    i64::try_from(now().as_secs()).expect("a time")
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        for (time, expected) in [
            ("1970-01-01T00:00:00.000000000Z", 0),
            ("2000-02-29T12:00:00.999999999Z", 951_825_600),
            ("2026-03-01T00:00:01.000000000Z", 1_772_323_201),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }
}
