//! Modules against what this machine has: its control groups, its programs, its shells. What it has not, or forbids, is
//! ignored, with the reason on stderr.
//!
//! With `--sandboxed` this binary is not a test but a process in the sandbox.

#![allow(clippy::unwrap_used, reason = "a test: a panic is the verdict")]

mod placement;
mod reference;
mod runtime;
mod sandbox;
mod symbols;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test, ignored when something is missing.
fn trial(name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    if let Some(reason) = missing {
        eprintln!("{name} is ignored, not passed: {reason}");
    }
    let run = move || {
        test();
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(missing.is_some())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, told] = words.as_slice()
        && flag == sandbox::FLAG
    {
        return sandbox::main(told);
    }
    let trials = [placement::trials(), reference::trials(), runtime::trials(), sandbox::trials(), symbols::trials()]
        .into_iter()
        .flatten()
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
