//! What a guest is given to run: per plan an observer that only says what it can see, then the tests.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    Options,
    initramfs::{Content, Run},
    matrix::Row,
};
use crate::artifacts;

/// Acts of the longest test; an emulated CPU makes some hundred a second.
const ACTS: &str = "5000";

/// Programs for the guests, built once.
pub(crate) struct Programs {
    init: PathBuf,
    /// As (file here, path in the guest).
    files: Vec<(PathBuf, &'static str)>,
}

/// The name of a plan's first run; the tests' run has the plan's own name.
pub(crate) fn declaration(plan: &str) -> String {
    format!("{plan}-declared")
}

/// Builds what the options ask for.
pub(crate) fn build(options: &Options) -> Result<Programs> {
    if let Some(program) = &options.program {
        let [init] = artifacts::release([artifacts::GUEST_INIT])?;
        let program = fs::canonicalize(program).with_context(|| format!("no program {}", program.display()))?;
        return Ok(Programs { init, files: vec![(program, "bin/program")] });
    }
    let [init, live, observer] = artifacts::release([artifacts::GUEST_INIT, artifacts::LIVE, artifacts::OBSERVER])?;
    Ok(Programs { init, files: vec![(live, "bin/live"), (observer, "bin/conn-observer")] })
}

/// Tests that need nothing but these two programs.
const CORE: &str = "core::";
/// Those of them that no hook plan has a part in: one plan is enough on each kernel.
const ONCE: &str = "core::once::";

/// The content of one guest, which has these plans.
pub(crate) fn content(programs: &Programs, row: &Row, plans: &[String], options: &Options) -> Content {
    let Programs { init, files } = programs;
    Content {
        init: init.clone(),
        programs: files.clone(),
        runs: runs(row, plans, options),
        timeout: Duration::from_secs(options.timeout),
        lockdown: row.lockdown.map(|level| level.to_string()),
    }
}

fn runs(row: &Row, plans: &[String], options: &Options) -> Vec<Run> {
    if options.program.is_some() {
        return vec![run("program", &["/bin/program"], &options.filter, &[])];
    }
    // The test program takes one filter only.
    let core = [CORE.to_owned()];
    let filter = if options.filter.is_empty() { &core[..] } else { &options.filter };
    let mut runs = Vec::new();
    for plan in plans {
        let stop_at_once = ["/bin/conn-observer", "--hooks", plan, "--duration", "1ms"];
        runs.push(run(&declaration(plan), &stop_at_once, &[], &[]));
        if options.tests(row, plan) {
            let env = [
                ("CONN_OBSERVER_HOOKS", plan.as_str()),
                ("CONN_OBSERVER_BIN", "/bin/conn-observer"),
                ("CONN_OBSERVER_ACTS", ACTS),
            ];
            // One by one: a guest has one CPU, which the tests keep busy.
            let live = ["/bin/live", "--test-threads=1", "--skip", ONCE];
            let again = options.plan.first() != Some(plan) && options.filter.is_empty();
            let words = if again { &live[..] } else { &live[..2] };
            runs.push(run(plan, words, filter, &env));
        }
    }
    runs
}

fn run(name: &str, argv: &[&str], more: &[String], env: &[(&str, &str)]) -> Run {
    let fixed = [("HOME", "/root"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("RUST_BACKTRACE", "1")];
    Run {
        name: name.to_owned(),
        argv: argv.iter().map(|&word| word.to_owned()).chain(more.iter().cloned()).collect(),
        env: fixed.iter().chain(env).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::matrix::rows;

    #[test]
    fn a_plan_declares_itself_before_its_tests_which_not_every_one_has() {
        let rows = rows(&[], None).unwrap();
        let options = Options::short_check();
        let names =
            |row: &Row| -> Vec<String> { runs(row, &options.plan, &options).into_iter().map(|run| run.name).collect() };
        let all = ["fentry-declared", "fentry", "kprobe-declared", "kprobe", "tracepoint-declared", "tracepoint"];
        assert_eq!(names(&rows[0]), all);
        assert_eq!(names(&rows[1]), ["fentry-declared", "kprobe-declared", "tracepoint-declared"]);
        let with_one_tested = ["fentry-declared", "fentry", "kprobe-declared", "tracepoint-declared"];
        assert_eq!(names(&rows[2]), with_one_tested);
        let without_kprobe = ["fentry-declared", "fentry", "kprobe-declared", "tracepoint-declared", "tracepoint"];
        assert_eq!(names(&rows[rows.len() - 1]), without_kprobe);
    }
}
