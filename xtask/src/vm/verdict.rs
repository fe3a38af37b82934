//! One line per kernel and plan, and on a failure everything needed to understand it.

use anyhow::Error;

use super::{
    initramfs::Content,
    machine::Output,
    report::{self, End, Outcome},
};
use crate::tally::Tally;

/// Lines of the guest's console shown when the machine itself failed.
const CONSOLE_LINES: usize = 60;

/// What became of one kernel and plan.
pub(crate) struct Verdict {
    /// The line.
    summary: String,
    /// What the program wrote, and the console where the machine failed.
    detail: String,
    pub(crate) tally: Tally,
}

impl Verdict {
    /// A kernel that could not be fetched or started.
    pub(crate) fn no_machine(series: &str, error: &Error) -> Self {
        let summary = format!("{series}: MACHINE FAILED, {error:#}");
        Self { summary, detail: String::new(), tally: Tally::FAILURE }
    }

    /// Prints the line, after the detail if there was a failure or `always` is set.
    pub(crate) fn print(&self, always: bool) {
        if (always || self.tally.failed > 0) && !self.detail.is_empty() {
            println!("{}", self.detail.trim_end());
        }
        println!("{}", self.summary);
    }
}

/// A verdict for each run of a guest.
pub(crate) fn of_guest(series: &str, content: &Content, output: &Output) -> Vec<Verdict> {
    let names: Vec<&str> = content.runs.iter().map(|run| run.name.as_str()).collect();
    let outcomes = report::outcomes(&names, output);
    let failed = |end| matches!(end, End::MachineFailed | End::NotStarted);
    // The console is shown once, with the first run that suffered.
    let first_failed = outcomes.iter().position(|outcome| failed(outcome.end));
    let verdict = |(index, (name, outcome)): (usize, (&str, Outcome))| {
        let heading = format!("{series} {name}");
        let console = if first_failed == Some(index) { Some(output) } else { None };
        let mut verdict = of_run(&heading, name == "program", &outcome, console);
        for complaint in output.control.lines().filter(|line| line.starts_with("cannot")) {
            verdict.detail += &format!("--- {series}: PID 1 {complaint}\n");
        }
        verdict
    };
    names.into_iter().zip(outcomes).enumerate().map(verdict).collect()
}

/// `counts_exit`: the program is no test program, its exit status is its result.
fn of_run(heading: &str, counts_exit: bool, outcome: &Outcome, machine: Option<&Output>) -> Verdict {
    let success = outcome.end == End::Exit(0);
    let tally = match (counts_exit, success) {
        (true, true) => Tally { passed: 1, ..Tally::default() },
        (true, false) => Tally::FAILURE,
        (false, _) => Tally::of_program(&outcome.stdout, success),
    };
    let verdict = match outcome.end {
        End::Timeout => "TIMED OUT".to_owned(),
        End::MachineFailed => "MACHINE FAILED".to_owned(),
        End::NotStarted => "NOT RUN, the machine failed before".to_owned(),
        End::Exit(_) if tally.failed == 0 => "ok".to_owned(),
        End::Exit(code) => format!("FAILED with exit status {code}"),
    };
    let Tally { passed, failed, skipped } = tally;
    let summary = format!(
        "{heading}: {verdict}, {passed} passed, {failed} failed, {skipped} ignored ({:.1} s)",
        outcome.time.as_secs_f64()
    );
    let mut detail = String::new();
    for (stream, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !text.is_empty() {
            detail += &format!("--- {heading}: {stream}\n{}\n", text.trim_end());
        }
    }
    if let Some(output) = machine {
        let lines: Vec<&str> = output.console.lines().collect();
        let tail = &lines[lines.len().saturating_sub(CONSOLE_LINES)..];
        detail += &format!("--- {heading}: QEMU ended with {}; console\n{}\n", output.end, tail.join("\n"));
    }
    Verdict { summary, detail, tally }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(end: End, stdout: &str) -> Outcome {
        Outcome { end, stdout: stdout.to_owned(), stderr: String::new(), time: Duration::from_millis(3_400) }
    }

    const OK: &str = "test result: ok. 23 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 3s\n";

    #[test]
    fn a_good_run_is_one_line() {
        let verdict = of_run("6.1 fentry", false, &outcome(End::Exit(0), OK), None);
        assert_eq!(verdict.summary, "6.1 fentry: ok, 23 passed, 0 failed, 0 ignored (3.4 s)");
    }

    #[test]
    fn tests_that_passed_before_a_time_out_do_not_make_it_a_success() {
        let verdict = of_run("6.1 kprobe", false, &outcome(End::Timeout, "test a ... ok\n"), None);
        assert_eq!(verdict.tally, Tally::FAILURE);
        assert!(verdict.summary.starts_with("6.1 kprobe: TIMED OUT, 0 passed, 1 failed"), "{}", verdict.summary);
        assert!(verdict.detail.contains("test a ... ok"));
    }

    #[test]
    fn the_console_of_a_dead_machine_is_shown() {
        let output = Output { console: "Kernel panic".to_owned(), end: "status 1".to_owned(), ..Output::default() };
        let verdict = of_run("7.3 fentry", false, &outcome(End::MachineFailed, ""), Some(&output));
        assert!(verdict.detail.contains("Kernel panic") && verdict.detail.contains("status 1"));
    }
}
