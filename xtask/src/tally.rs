//! Counts of tests, read from the `test result:` lines that libtest and libtest-mimic print.

use std::{fmt, iter::Sum, ops::Add};

/// How many tests passed, failed and were skipped ("ignored").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One failure that no test line tells of: a step, a machine.
    pub(crate) const FAILURE: Self = Self { passed: 0, failed: 1, skipped: 0 };

    /// The sum over every result line in a program's output.
    pub(crate) fn of_output(text: &str) -> Self {
        text.lines().filter_map(Self::of_line).sum()
    }

    /// The counts of a finished test program. A program that failed without a failed test (it crashed, or printed no
    /// result) counts as one failure; so does a test program that counts nothing at all.
    pub(crate) fn of_program(text: &str, success: bool) -> Self {
        let tally = Self::of_output(text);
        let reported = text.lines().any(|line| Self::of_line(line).is_some());
        if tally.failed == 0 && (!success || !reported) { tally + Self::FAILURE } else { tally }
    }

    /// "test result: ok. 23 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 3.40s"
    fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?;
        let mut tally = Self::default();
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let slot = match what {
                "passed" => &mut tally.passed,
                "failed" => &mut tally.failed,
                "ignored" => &mut tally.skipped,
                _ => continue,
            };
            *slot = number.parse().ok()?;
        }
        Some(tally)
    }
}

impl Add for Tally {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = "test result: ok. 23 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 3.40s";
    const BAD: &str = "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn result_lines_are_summed_and_other_lines_are_not() {
        let text = format!("running 24 tests\ntest a ... ok\n{OK}\ntest result: gibberish\n9 passed\n{BAD}\n");
        assert_eq!(Tally::of_output(&text), tally(25, 5, 1));
    }

    #[test]
    fn a_crash_is_a_failure_and_so_is_silence() {
        assert_eq!(Tally::of_program(OK, true), tally(23, 0, 1));
        assert_eq!(Tally::of_program(OK, false), tally(23, 1, 1));
        assert_eq!(Tally::of_program("", true), tally(0, 1, 0));
        assert_eq!(Tally::of_program(BAD, false), tally(2, 5, 0));
    }

    #[test]
    fn a_tally_reads_as_ci_prints_it() {
        assert_eq!(tally(3, 0, 2).to_string(), "3 passed, 0 failed, 2 skipped");
    }
}
