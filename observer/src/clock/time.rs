//! Times as events have them.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use jiff::Timestamp;

use crate::text::as_text;

/// A time of the wall clock, in nanoseconds since 1970, to 2262. As text it is RFC 3339 in UTC, with nine digits of
/// the second; any offset and fewer digits are read, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The time of so many nanoseconds since 1970; 1970 for one before.
    #[must_use]
    pub const fn of(unix_ns: i64) -> Self {
        Self(if unix_ns < 0 { 0 } else { unix_ns })
    }

    /// The same, of a number that may be beyond all times: then the last one.
    pub(super) fn saturating(unix_ns: i128) -> Self {
        Self::of(i64::try_from(unix_ns).unwrap_or(if unix_ns < 0 { 0 } else { i64::MAX }))
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn unix_ns(self) -> i64 {
        self.0
    }
}

impl Display for Time {
    /// Always 30 bytes.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let timestamp = Timestamp::from_nanosecond(self.0.into()).unwrap_or(Timestamp::UNIX_EPOCH);
        write!(formatter, "{timestamp:.9}")
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let timestamp: Timestamp = text.parse().map_err(|error| format!("cannot read the time {text:?}: {error}"))?;
        let unix_ns = i64::try_from(timestamp.as_nanosecond()).ok().filter(|time| *time >= 0);
        unix_ns.map(Self).ok_or_else(|| format!("the time {text} is not between 1970 and 2262"))
    }
}

as_text!(Time, { "type": "string", "format": "date-time" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_text_of_nine_digits_and_back() {
        for (unix_ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
        ] {
            let time = Time::of(unix_ns);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
            assert_eq!(serde_json::to_value(time).unwrap(), text);
            assert_eq!(serde_json::from_value::<Time>(text.into()).unwrap(), time);
        }
    }

    #[test]
    fn other_spellings_are_read_and_nonsense_is_named() {
        let read = |text: &str| text.parse::<Time>().map(|time| time.to_string());
        assert_eq!(read("2026-11-24T17:01:02+02:00").unwrap(), "2026-11-24T15:01:02.000000000Z");
        assert_eq!(read("2026-11-24T15:01:02.5Z").unwrap(), "2026-11-24T15:01:02.500000000Z");
        assert!(read("soon").unwrap_err().contains("cannot read the time \"soon\""));
        for beyond in ["1969-12-31T23:59:59.999999999Z", "2262-04-12T00:00:00Z", "9999-01-01T00:00:00Z"] {
            assert!(read(beyond).unwrap_err().contains("not between"), "{beyond}");
        }
    }

    #[test]
    fn what_is_beyond_all_times_is_the_first_or_the_last_one() {
        assert_eq!(Time::saturating(i128::MAX).unix_ns(), i64::MAX);
        assert_eq!([Time::saturating(i128::MIN), Time::of(-1)], [Time::of(0); 2]);
    }
}
