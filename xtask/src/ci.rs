//! `cargo xtask ci`: every check, in order, to the end whatever fails; then a line per step and the sum of all tests.

use std::{
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{bench, docs, ebpf, privilege, process, setup, tally::Tally, test, vm, workspace};

/// What a step came to.
enum Outcome {
    /// A check that holds.
    Holds,
    /// A check that could not be made here, and why.
    NotMade(&'static str),
    /// Tests were counted.
    Tests(Tally),
}

type Step = (&'static str, fn() -> Result<Outcome>);

const STEPS: [Step; 10] = [
    ("setup", || setup::run().map(holds)),
    ("fmt", || cargo(&["fmt", "--all", "--check"])),
    ("clippy", || cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("rustdoc", rustdoc),
    ("deny", deny),
    ("ebpf --check", || ebpf::check().map(holds)),
    ("test", || test::run(&[]).map(Outcome::Tests)),
    ("bench --quick", bench_quick),
    ("vm", || vm::run(&vm::Options::short_check()).map(Outcome::Tests)),
    ("docs --check", || docs::run(true).map(holds)),
];

fn holds((): ()) -> Outcome {
    Outcome::Holds
}

/// Runs all steps. The last line is `N passed, N failed, N skipped`: the tests, and each failed check as one failure.
pub(crate) fn run() -> ExitCode {
    let mut lines = Vec::new();
    let mut total = Tally::default();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        println!("\n=== {}/{} {name}", index + 1, STEPS.len());
        let start = Instant::now();
        let outcome = step();
        if let Err(error) = &outcome {
            println!("{name}: {error:#}");
        }
        let (tally, line) = judge(name, &outcome, start.elapsed());
        total = total + tally;
        lines.push(line);
    }
    println!("\n=== result\n{}\n{total}", lines.join("\n"));
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a step adds to the sum, and its line.
fn judge(name: &str, outcome: &Result<Outcome>, time: Duration) -> (Tally, String) {
    let seconds = format!("({:.1} s)", time.as_secs_f64());
    match outcome {
        Ok(Outcome::Holds) => (Tally::default(), format!("{name}: ok {seconds}")),
        Ok(Outcome::NotMade(why)) => (Tally::default(), format!("{name}: NOT CHECKED, {why}")),
        Ok(Outcome::Tests(tally)) => {
            let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
            (*tally, format!("{name}: {verdict}, {tally} {seconds}"))
        }
        Err(_) => (Tally::FAILURE, format!("{name}: FAILED {seconds}")),
    }
}

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    process::run(workspace::cargo().args(arguments)).map(holds)
}

fn rustdoc() -> Result<Outcome> {
    let mut command = workspace::cargo();
    command.args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    process::run(command.env("RUSTDOCFLAGS", "-D warnings")).map(holds)
}

fn bench_quick() -> Result<Outcome> {
    if !privilege::is_root() {
        println!("bench --quick: NOT CHECKED: attaching needs root");
        return Ok(Outcome::NotMade("attaching needs root"));
    }
    bench::run(&bench::Options::quick()).map(holds)
}

fn deny() -> Result<Outcome> {
    let Some(program) = workspace::program("cargo-deny") else {
        println!("deny: NOT CHECKED: no cargo-deny here; `cargo install --locked cargo-deny` brings it");
        return Ok(Outcome::NotMade("no cargo-deny here"));
    };
    // Not the advisories: a result must not change while the repository does not.
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
    process::run(&mut command).map(holds)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_failed_check_counts_as_one_failure_and_a_good_one_as_nothing() {
        let judge = |outcome| judge("x", &outcome, Duration::from_millis(1_500));
        assert_eq!(judge(Ok(Outcome::Holds)), (Tally::default(), "x: ok (1.5 s)".to_owned()));
        assert_eq!(judge(Err(anyhow!("no"))), (Tally::FAILURE, "x: FAILED (1.5 s)".to_owned()));
        let tally = Tally { passed: 2, failed: 1, skipped: 3 };
        let line = "x: FAILED, 2 passed, 1 failed, 3 skipped (1.5 s)".to_owned();
        assert_eq!(judge(Ok(Outcome::Tests(tally))), (tally, line));
    }
}
