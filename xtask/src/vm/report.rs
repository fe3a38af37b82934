//! Reads what PID 1 of the guest reports on the control port, and cuts the output into runs by it:
//!
//! ```text
//! start NAME
//! end NAME exit CODE|timeout stdout BYTES stderr BYTES ms MILLISECONDS
//! ```

use std::{collections::HashMap, time::Duration};

use super::machine::Output;

/// How one run in the guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As a shell counts: 128 + signal for a program that a signal ended.
    Exit(i32),
    /// PID 1 killed it.
    Timeout,
    /// The machine ended first.
    MachineFailed,
    /// The machine ended before its turn.
    NotStarted,
}

/// One run in the guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) time: Duration,
}

/// The outcome of each named run, in the same order.
pub(crate) fn outcomes(names: &[&str], output: &Output) -> Vec<Outcome> {
    let (mut stdout, mut stderr) = (Cursor(&output.stdout), Cursor(&output.stderr));
    let mut ended = HashMap::new();
    let mut started = None;
    for line in output.control.lines() {
        if let Some(name) = line.strip_prefix("start ") {
            started = Some(name);
        } else if let Some((name, end, sizes, time)) = parse(line) {
            let outcome = Outcome { end, stdout: stdout.take(sizes.0), stderr: stderr.take(sizes.1), time };
            ended.insert(name, outcome);
            started = None;
        }
    }
    let missing = |name: &str| {
        // What the machine wrote after the last report belongs to the run that it died in.
        let running = started == Some(name);
        let end = if running { End::MachineFailed } else { End::NotStarted };
        let rest = |cursor: &Cursor| {
            if running { cursor.rest() } else { String::new() }
        };
        Outcome { end, stdout: rest(&stdout), stderr: rest(&stderr), time: Duration::ZERO }
    };
    names.iter().map(|&name| ended.remove(name).unwrap_or_else(|| missing(name))).collect()
}

/// The unread rest of a stream.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, bytes: usize) -> String {
        let (taken, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(taken).into_owned()
    }

    fn rest(&self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

/// Name, end, bytes of (stdout, stderr), time.
fn parse(line: &str) -> Option<(&str, End, (usize, usize), Duration)> {
    let mut words = line.strip_prefix("end ")?.split(' ');
    let name = words.next()?;
    let end = match words.next()? {
        "exit" => End::Exit(words.next()?.parse().ok()?),
        "timeout" => End::Timeout,
        _ => return None,
    };
    let mut number = |label: &str| {
        if words.next()? == label { words.next()?.parse::<usize>().ok() } else { None }
    };
    let sizes = (number("stdout")?, number("stderr")?);
    let time = Duration::from_millis(number("ms")? as u64);
    Some((name, end, sizes, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(control: &str) -> Output {
        Output {
            control: control.to_owned(),
            stdout: b"firstsecondthi".to_vec(),
            stderr: b"onetwo".to_vec(),
            ..Output::default()
        }
    }

    fn outcome(end: End, stdout: &str, stderr: &str, ms: u64) -> Outcome {
        Outcome { end, stdout: stdout.to_owned(), stderr: stderr.to_owned(), time: Duration::from_millis(ms) }
    }

    #[test]
    fn the_output_is_cut_by_the_reported_lengths() {
        let control = "start a\nend a exit 0 stdout 5 stderr 3 ms 12\nstart b\nend b timeout stdout 6 stderr 0 ms 9\n";
        assert_eq!(
            outcomes(&["a", "b"], &output(control)),
            [outcome(End::Exit(0), "first", "one", 12), outcome(End::Timeout, "second", "", 9)]
        );
    }

    #[test]
    fn a_dead_machine_leaves_the_rest_to_the_run_it_died_in() {
        let control = "start a\nend a exit 139 stdout 5 stderr 3 ms 12\nstart b\nend b ex";
        let expected = [
            outcome(End::Exit(139), "first", "one", 12),
            outcome(End::MachineFailed, "secondthi", "two", 0),
            outcome(End::NotStarted, "", "", 0),
        ];
        assert_eq!(outcomes(&["a", "b", "c"], &output(control)), expected);
    }

    #[test]
    fn no_prefix_of_a_report_is_taken_for_another_one() {
        let line = "end a exit 0 stdout 5 stderr 3 ms 1";
        assert!((0..line.len()).all(|length| parse(&line[..length]).is_none()));
    }
}
