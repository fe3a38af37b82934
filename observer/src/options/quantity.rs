//! Sizes and times as people write them: `100MiB`, `10s`.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of bytes: `4096`, `64KiB`, `100MiB`, `2GiB`, or by thousands `64kB`, `100MB`, `2GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "Written", into = "String")]
pub struct Size(pub u64);

/// A time: `500ms`, `10s`, `2m`, `24h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "String", into = "String")]
pub struct Time(pub Duration);

/// A size may be a bare number of bytes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a size, as 4096 or \"100MiB\"")]
enum Written {
    Bytes(u64),
    Text(String),
}

const SIZE_UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];

const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a number of bytes with or without a unit: 65536, 64KiB, 100MiB, 2GiB";
        split(text, &SIZE_UNITS, expected).map(Self)
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a number and a unit: 500ms, 10s, 2m, 1h, 7d";
        split(text, &TIME_UNITS, expected).map(Duration::from_millis).map(Self)
    }
}

/// A whole number and its unit, multiplied.
fn split(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(expected)?;
    if number.is_empty() {
        return Err("expected a number before the unit".to_owned());
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| format!("{text} is too large"))
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = SIZE_UNITS.iter().take(3);
        match binary.clone().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(out, "{}{unit}", self.0 / factor),
            None => write!(out, "{}B", self.0),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        match TIME_UNITS.iter().find(|(_, factor)| milliseconds > 0 && milliseconds.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(out, "{}{unit}", milliseconds / factor),
            None => out.write_str("0ms"),
        }
    }
}

impl TryFrom<Written> for Size {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["1B", "64KiB", "100MiB", "2GiB", "1500B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["500ms", "10s", "2m", "1h", "7d", "0ms"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Time>().unwrap().to_string(), "90s");
        assert_eq!("3600s".parse::<Time>().unwrap().to_string(), "1h");
    }

    #[test]
    fn units_are_those_people_use() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(size("4096"), Ok(4_096));
        assert_eq!(size("1MB"), Ok(1_000_000));
        assert_eq!(size("1 MiB"), Ok(1 << 20));
        for bad in ["", "MiB", "1mb", "-1", "1.5GiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_need_a_unit() {
        let time = |text: &str| text.parse::<Time>().map(|time| time.0);
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["10", "s", "99999999999999999999h", "99999999999999999h", "10 years"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
