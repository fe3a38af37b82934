//! Kernel time to wall-clock time.

mod instant;
mod time;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil, fmt::rfc2822, tz::TimeZone};
use rustix::time::{ClockId, clock_gettime};

pub use instant::instant;
pub use time::Time;

/// Nanoseconds of a clock.
fn now(clock: ClockId) -> i128 {
    let time = clock_gettime(clock);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

/// What two clocks that are read one after the other seem to differ by, at most, while nobody sets them.
const ERROR_NS: i128 = 1_000;

/// Offset between CLOCK_BOOTTIME, which the kernel side stamps with, and the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    offset: i128,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        Self { offset: now(ClockId::Realtime) - now(ClockId::Boottime) }
    }

    /// Reads both clocks again. What they differ by is told anew only if it has changed by more than such a reading errs:
    /// they are read one after the other.
    #[must_use]
    pub fn read_again(self) -> Self {
        let read = Self::read();
        if (read.offset - self.offset).abs() < ERROR_NS { self } else { read }
    }

    /// A clock with a fixed offset in nanoseconds.
    #[must_use]
    pub const fn with_offset(offset: i128) -> Self {
        Self { offset }
    }

    /// A time of CLOCK_BOOTTIME, in nanoseconds, on the wall clock.
    #[must_use]
    pub fn wall(&self, boot_ns: u64) -> Time {
        Time::saturating(self.offset + i128::from(boot_ns))
    }
}

/// CLOCK_BOOTTIME in nanoseconds.
#[must_use]
pub fn boot_ns() -> u64 {
    u64::try_from(now(ClockId::Boottime)).unwrap_or(0)
}

/// The present.
#[must_use]
pub fn wall_now() -> Time {
    Time::saturating(now(ClockId::Realtime))
}

/// The present in nanoseconds since 1970, as stores and views count it.
#[must_use]
pub fn present() -> i64 {
    wall_now().unix_ns()
}

/// How long it is until a date of HTTP (`Wed, 21 Oct 2015 07:28:00 GMT`); zero for one that has passed.
#[must_use]
pub fn until(date: &str) -> Option<Duration> {
    let timestamp = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let left = timestamp.as_nanosecond() - now(ClockId::Realtime);
    Some(Duration::from_nanos(u64::try_from(left.max(0)).unwrap_or(u64::MAX)))
}

/// How a time is written as part of a file's name, in UTC: `20261125T214800.123Z`.
const STAMP: &str = "%Y%m%dT%H%M%S.%3fZ";

/// The present as part of a file's name. Always later than the last one, so that names sort by age also when two are made
/// within a millisecond or the clock was put back: then it is the last one's and a millisecond.
#[must_use]
pub fn stamp(last: Option<&str>) -> String {
    stamp_at(now(ClockId::Realtime), last)
}

fn stamp_at(nanoseconds: i128, last: Option<&str>) -> String {
    let present = Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let last = last.and_then(|last| TimeZone::UTC.to_timestamp(civil::DateTime::strptime(STAMP, last).ok()?).ok());
    let next = last.and_then(|last| last.checked_add(SignedDuration::from_millis(1)).ok());
    next.map_or(present, |next| next.max(present)).strftime(STAMP).to_string()
}

/// RFC 3339 text of nanoseconds since 1970.
#[must_use]
pub fn wall_text(unix_ns: i64) -> String {
    Time::of(unix_ns).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_becomes_wall_time() {
        let clock = Clock::with_offset(1_700_000_000_000_000_000);
        assert_eq!(clock.wall(1), Time::of(1_700_000_000_000_000_001));
    }

    #[test]
    fn a_clock_changes_when_somebody_has_set_it() {
        let clock = Clock::read();
        // A reading may be held up half way, but not each one.
        assert!((0..1_000).any(|_| clock.read_again() == clock), "nobody has");
        let set = Clock::with_offset(clock.offset + 1_000_000_000);
        let again = set.read_again();
        assert_ne!(again, set);
        assert!((again.offset - clock.offset).abs() < 1_000_000_000);
    }

    #[test]
    fn stamps_never_go_back() {
        const NOW: i128 = 1_700_000_000_123_999_999;
        let first = stamp_at(NOW, None);
        assert_eq!(first, "20231114T221320.123Z");
        assert_eq!(stamp_at(NOW, Some("20221231T235959.999Z")), first);
        assert_eq!(stamp_at(NOW, Some(&first)), "20231114T221320.124Z");
        assert_eq!(stamp_at(NOW, Some("20991231T235959.999Z")), "21000101T000000.000Z");
        assert_eq!(stamp_at(NOW, Some("no stamp")), first);
    }
}
