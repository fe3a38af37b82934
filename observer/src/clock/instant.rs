//! Times as people write them. All are UTC, as the times of events are.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

const UNITS: [(&str, i64); 12] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("hour", 3_600_000_000_000),
    ("hours", 3_600_000_000_000),
    ("d", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7 * DAY),
];

/// Nanoseconds since 1970 of a time, seen from the present: `2026-11-26T03:12:05Z`, `2026-11-26 03:12`, `2026-11-26`,
/// `03:12` for the last time that it was so late, `-15min`, `now`, `today`, `yesterday`.
///
/// # Errors
/// What was expected.
pub fn instant(text: &str, now: i64) -> Result<i64, String> {
    let text = text.trim();
    let midnight = now.div_euclid(DAY) * DAY;
    match text {
        "now" => return Ok(now),
        "today" => return Ok(midnight),
        "yesterday" => return Ok(midnight - DAY),
        _ => {}
    }
    if let Some(ago) = text.strip_prefix('-').and_then(span) {
        return now.checked_sub(ago).ok_or_else(|| format!("{text} is too long ago"));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return nanoseconds(timestamp, text);
    }
    if let Ok(date) = text.parse::<Date>().map(|date| date.at(0, 0, 0, 0))
        && text.len() == 10
    {
        return civil(date, text);
    }
    // Before dates: jiff takes a date alone for midnight.
    if let Some(time) = text.contains(':').then(|| text.parse::<Time>().ok()).flatten()
        && !text.contains('-')
    {
        let since_midnight = time.duration_since(Time::midnight());
        let today = midnight + i64::try_from(since_midnight.as_nanos()).unwrap_or(0);
        return Ok(if today <= now { today } else { today - DAY });
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return civil(time, text);
    }
    Err(format!(
        "cannot read the time {text:?}: expected 2026-11-26T03:12:05Z, \"2026-11-26 03:12\", 2026-11-26, 03:12, -15min, \
         now, today or yesterday (all UTC)"
    ))
}

/// `15min`
fn span(text: &str) -> Option<i64> {
    let end = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<i64>().ok()?.checked_mul(*factor)
}

fn civil(time: DateTime, text: &str) -> Result<i64, String> {
    let zoned = time.to_zoned(TimeZone::UTC).map_err(|error| format!("cannot read the time {text:?}: {error}"))?;
    nanoseconds(zoned.timestamp(), text)
}

fn nanoseconds(timestamp: Timestamp, text: &str) -> Result<i64, String> {
    i64::try_from(timestamp.as_nanosecond()).map_err(|_| format!("{text} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Time, wall_text};

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = "2026-11-26T03:30:00Z".parse::<Time>().unwrap().unix_ns();
        let read = |text: &str| wall_text(instant(text, now).unwrap());
        for (text, expected) in [
            ("now", "2026-11-26T03:30:00.000000000Z"),
            ("today", "2026-11-26T00:00:00.000000000Z"),
            ("yesterday", "2026-11-25T00:00:00.000000000Z"),
            ("-15min", "2026-11-26T03:15:00.000000000Z"),
            ("-2h", "2026-11-26T01:30:00.000000000Z"),
            ("-500ms", "2026-11-26T03:29:59.500000000Z"),
            ("-1d", "2026-11-25T03:30:00.000000000Z"),
            ("03:12", "2026-11-26T03:12:00.000000000Z"),
            ("03:12:05", "2026-11-26T03:12:05.000000000Z"),
            ("22:00", "2026-11-25T22:00:00.000000000Z"),
            ("2026-11-24", "2026-11-24T00:00:00.000000000Z"),
            ("2026-11-24 17:01", "2026-11-24T17:01:00.000000000Z"),
            ("2026-11-24T17:01:02.5", "2026-11-24T17:01:02.500000000Z"),
            ("2026-11-24T17:01:02.123456789Z", "2026-11-24T17:01:02.123456789Z"),
            ("2026-11-24T17:01:02+02:00", "2026-11-24T15:01:02.000000000Z"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for bad in ["", "soon", "-15", "-15 years", "25:00", "2026-13-01", "-99999999999d", "9999-01-01"] {
            assert!(instant(bad, now).is_err(), "{bad}");
        }
    }
}
