//! One line per kernel and plan, and on a failure everything needed to understand it.

use anyhow::Error;

use super::{
    declared::Declared,
    guest,
    initramfs::Content,
    machine::Output,
    matrix::Row,
    report::{self, End, Outcome},
};
use crate::tally::Tally;

/// Lines of the guest's console shown when the machine itself failed.
const CONSOLE_LINES: usize = 60;
/// What PID 1 says when the row is not what it claims to be.
const NOT_LOCKED_DOWN: &str = "cannot lock down";

/// What became of one kernel and plan.
pub(crate) struct Verdict {
    /// The hook plan; empty where it is no plan's verdict.
    pub(crate) plan: String,
    /// What the observer said; `None` where it was not asked.
    pub(crate) declared: Option<Declared>,
    pub(crate) tally: Tally,
    /// The line.
    summary: String,
    /// What the program wrote, and the console where the machine failed.
    detail: String,
}

impl Verdict {
    /// A kernel that could not be fetched, or not started for these plans.
    pub(crate) fn no_machine(row: &Row, plans: &[String], error: &Error) -> Self {
        Self::line(&format!("{row} {}", plans.join(" ")), &format!("MACHINE FAILED, {error:#}"), Tally::FAILURE)
    }

    fn line(heading: &str, text: &str, tally: Tally) -> Self {
        Self {
            plan: String::new(),
            declared: None,
            tally,
            summary: format!("{heading}: {text}"),
            detail: String::new(),
        }
    }

    /// Prints the line, after the detail if there was a failure or `always` is set.
    pub(crate) fn print(&self, always: bool) {
        if (always || self.tally.failed > 0) && !self.detail.is_empty() {
            println!("{}", self.detail.trim_end());
        }
        println!("{}", self.summary);
    }
}

/// What PID 1 could not do.
pub(crate) fn complaints(output: &Output) -> impl Iterator<Item = &str> {
    output.control.lines().filter(|line| line.starts_with("cannot"))
}

/// A verdict for each plan, or for the one program.
pub(crate) fn of_guest(row: &Row, content: &Content, plans: &[String], output: &Output) -> Vec<Verdict> {
    if complaints(output).any(|complaint| complaint.starts_with(NOT_LOCKED_DOWN)) {
        return vec![Verdict::line(&row.to_string(), "NOT LOCKED DOWN, which this row is about", Tally::FAILURE)];
    }
    let names: Vec<&str> = content.runs.iter().map(|run| run.name.as_str()).collect();
    let outcomes = report::outcomes(&names, output);
    let failed = |outcome: &Outcome| matches!(outcome.end, End::MachineFailed | End::NotStarted);
    // The console is shown once, with the first run that suffered.
    let suffered = outcomes.iter().position(failed).map(|index| names[index]);
    let of = |name: &str| names.iter().position(|known| *known == name).map(|index| &outcomes[index]);
    let console = |runs: &[&str]| suffered.is_some_and(|name| runs.contains(&name)).then_some(output);
    if let Some(outcome) = of("program") {
        return vec![of_run(&format!("{row} program"), true, outcome, console(&["program"]))];
    }
    let verdict = |plan: &String| {
        let declaration = guest::declaration(plan);
        Some(of_plan(row, plan, of(&declaration)?, of(plan), console(&[&declaration, plan])))
    };
    plans.iter().filter_map(verdict).collect()
}

/// What the observer said, and its tests where the kernel is expected to take the plan.
fn of_plan(row: &Row, plan: &str, said: &Outcome, tests: Option<&Outcome>, machine: Option<&Output>) -> Verdict {
    let heading = format!("{row} {plan}");
    let declared = Declared::of(said);
    let mut verdict = match (tests, &declared) {
        (None, Declared::Limits(_)) if !row.refuses(plan) => {
            let passed = Tally { passed: 1, ..Tally::default() };
            Verdict::line(&heading, "ok, attached; not tested in a short run", passed)
        }
        (None, Declared::Refused(error)) if row.refuses(plan) => {
            let passed = Tally { passed: 1, ..Tally::default() };
            Verdict::line(&heading, &format!("ok, refused as expected: {error}"), passed)
        }
        (None, Declared::Limits(_)) => {
            let text = "FAILED, the kernel takes the plan that it is expected to refuse";
            Verdict::line(&heading, text, Tally::FAILURE)
        }
        (Some(tests), Declared::Limits(_)) => of_run(&heading, false, tests, machine),
        (tests, Declared::Refused(error) | Declared::Failed(error)) => {
            let refused = if matches!(declared, Declared::Refused(_)) { "refused: " } else { "" };
            let mut verdict = Verdict::line(&heading, &format!("FAILED, {refused}{error}"), Tally::FAILURE);
            verdict.detail = detail(&format!("{heading}, its start"), said, machine);
            if let Some(tests) = tests {
                verdict.detail += &detail(&heading, tests, None);
                verdict.tally = Tally::of_output(&tests.stdout);
                verdict.tally.failed = verdict.tally.failed.max(1);
            }
            verdict
        }
    };
    plan.clone_into(&mut verdict.plan);
    verdict.declared = Some(declared);
    verdict
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
    let detail = detail(heading, outcome, machine);
    Verdict { plan: String::new(), declared: None, tally, summary, detail }
}

/// What a run wrote, and the console of a machine that failed in it.
fn detail(heading: &str, outcome: &Outcome, machine: Option<&Output>) -> String {
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
    detail
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::vm::{initramfs::Run, kernels::PINNED, matrix::Lockdown};

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

    const STARTED: &str = r#"{"type":"started","hooks":{"coverage":[]}}"#;

    fn row() -> Row {
        Row { pinned: &PINNED[1], lockdown: Some(Lockdown::Confidentiality) }
    }

    fn refused() -> Outcome {
        let stderr = "conn-observer: the kernel refused every hook (kprobe/f: EPERM); try another".to_owned();
        Outcome { stderr, ..outcome(End::Exit(2), "") }
    }

    #[test]
    fn a_refusal_is_a_pass_only_where_it_is_expected() {
        let expected = of_plan(&row(), "kprobe", &refused(), None, None);
        assert_eq!(expected.tally, Tally { passed: 1, ..Tally::default() });
        assert_eq!(expected.summary, "6.1 lockdown=confidentiality kprobe: ok, refused as expected: kprobe/f: EPERM");
        let tests = outcome(End::Exit(101), "test result: FAILED. 0 passed; 9 failed; 0 ignored; 0 measured\n");
        let surprise = of_plan(&row(), "fentry", &refused(), Some(&tests), None);
        assert_eq!((surprise.tally.passed, surprise.tally.failed), (0, 9));
        assert!(surprise.summary.ends_with("fentry: FAILED, refused: kprobe/f: EPERM"), "{}", surprise.summary);
        // Tests that pass without an observer prove nothing.
        let passed = of_plan(&row(), "fentry", &refused(), Some(&outcome(End::Exit(0), OK)), None);
        assert_eq!(passed.tally.failed, 1);
    }

    #[test]
    fn a_plan_that_should_be_refused_and_is_not_fails() {
        let verdict = of_plan(&row(), "kprobe", &outcome(End::Exit(0), STARTED), None, None);
        assert_eq!(verdict.tally, Tally::FAILURE);
    }

    fn guest(control: &str, stdout: &str) -> Vec<Verdict> {
        let output = Output { control: control.to_owned(), stdout: stdout.into(), ..Output::default() };
        let run = |name: &str| Run { name: name.to_owned(), argv: Vec::new(), env: Vec::new() };
        let runs = ["fentry-declared", "fentry", "kprobe-declared"].map(run).to_vec();
        let (init, programs, timeout, lockdown) = Default::default();
        let content = Content { init, programs, runs, timeout, lockdown };
        of_guest(&row(), &content, &["fentry", "kprobe"].map(str::to_owned), &output)
    }

    #[test]
    fn a_guest_that_dies_gives_one_verdict_per_plan_and_its_console_once() {
        let control = format!(
            "start fentry-declared\nend fentry-declared exit 0 stdout {} stderr 0 ms 5\nstart fentry\n",
            STARTED.len()
        );
        let verdicts = guest(&control, STARTED);
        let summaries: Vec<&str> = verdicts.iter().map(|verdict| verdict.summary.as_str()).collect();
        assert!(summaries[0].contains("fentry: MACHINE FAILED"), "{summaries:?}");
        assert!(summaries[1].contains("kprobe: FAILED, the machine failed"), "{summaries:?}");
        assert_eq!(verdicts.iter().filter(|verdict| verdict.detail.contains("QEMU ended")).count(), 1);
    }

    #[test]
    fn a_row_that_is_not_locked_down_fails_as_a_whole() {
        let verdicts = guest("cannot lock down: No such file or directory\n", "");
        assert_eq!(verdicts.len(), 1);
        assert!(verdicts[0].tally.failed == 1 && verdicts[0].summary.contains("NOT LOCKED DOWN"));
    }
}
