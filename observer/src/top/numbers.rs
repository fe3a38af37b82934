//! Numbers in few characters.

use crate::{clock, store::Instant};

/// So many a time of so many seconds, by the second: `0`, `0.2`, `12`, `3.4k`.
pub(super) fn rate(events: u64, seconds: u64) -> String {
    let tenths = events.saturating_mul(10).div_ceil(seconds.max(1));
    match tenths {
        0 => "0".to_owned(),
        1..100 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => amount(tenths / 10),
    }
}

/// `950`, `9500`, `12.3k`, `456k`, `7.8M`.
pub(super) fn amount(number: u64) -> String {
    const UNITS: [(u64, char); 5] =
        [(1_000_000_000_000_000, 'P'), (1_000_000_000_000, 'T'), (1_000_000_000, 'G'), (1_000_000, 'M'), (1_000, 'k')];
    if number < 10_000 {
        return number.to_string();
    }
    let (unit, letter) = UNITS.into_iter().find(|(unit, _)| number >= *unit).unwrap_or((1, ' '));
    let (whole, tenth) = (number / unit, number % unit * 10 / unit);
    if whole < 100 { format!("{whole}.{tenth}{letter}") } else { format!("{whole}{letter}") }
}

/// `45s`, `5m`, `1h 30m`, `2d 4h`.
pub(super) fn span(nanoseconds: i64) -> String {
    let seconds = nanoseconds.max(0) / 1_000_000_000;
    let both = |large: i64, unit: &str, small: i64, less: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit} {small}{less}") }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => both(seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => both(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => both(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// `2026-11-26 03:12:05Z`.
pub(super) fn moment(time: Instant) -> String {
    let text = clock::wall_text(time);
    format!("{}Z", text.get(..19).unwrap_or(&text).replace('T', " "))
}

/// Heights of so many parts of a whole, each against the highest.
pub(super) fn bars(values: &[u64], width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let sums: Vec<u64> =
        values.chunks(values.len().div_ceil(width.max(1)).max(1)).map(|part| part.iter().sum()).collect();
    let highest = sums.iter().copied().max().unwrap_or(0).max(1);
    let height = |sum: &u64| match sum {
        0 => ' ',
        sum => HEIGHTS[usize::try_from((sum * 8).div_ceil(highest)).unwrap_or(8).clamp(1, 8) - 1],
    };
    sums.iter().map(height).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_five_characters_at_most() {
        for (number, text) in
            [(0, "0"), (9_999, "9999"), (12_345, "12.3k"), (456_789, "456k"), (7_812_345, "7.8M"), (u64::MAX, "18446P")]
        {
            assert_eq!(amount(number), text);
        }
        for (events, seconds, text) in
            [(0, 5, "0"), (1, 60, "0.1"), (1, 5, "0.2"), (60, 5, "12"), (u64::MAX, 1, "1844P")]
        {
            assert_eq!(rate(events, seconds), text, "something is never told as nothing");
        }
    }

    #[test]
    fn spans_have_two_units() {
        let second = 1_000_000_000;
        for (seconds, text) in [(-1, "0s"), (45, "45s"), (300, "5m"), (5_430, "1h 30m"), (187_200, "2d 4h")] {
            assert_eq!(span(seconds * second), text);
        }
    }

    #[test]
    fn bars_are_measured_by_the_highest() {
        assert_eq!(bars(&[0, 1, 4, 8], 4), " ▁▄█");
        assert_eq!(bars(&[0, 1, 4, 4], 2), "▁█");
        assert_eq!(bars(&[0, 0], 2), "  ");
    }
}
