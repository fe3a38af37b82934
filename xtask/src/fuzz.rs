//! `cargo xtask fuzz [TARGET…] [--seconds N]`: libFuzzer on every parser of what strangers can write. With the stable
//! compiler: coverage is instrumented by LLVM itself; address sanitizers would need a nightly, and find little in safe
//! Rust. What was found lies in `target/fuzz/findings`; its input becomes a file of the corpus, with the fix.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{process, workspace};

/// What is built, and for what: with a target named, build scripts are not instrumented.
const FOLDER: &str = "observer/fuzz";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Coverage as libFuzzer wants it: counters and a table of places, and the operands of comparisons.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Bounds of one input: seconds, megabytes, bytes.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=32768"];

/// What to fuzz.
#[derive(Args)]
pub(crate) struct Options {
    /// Names of targets: folders of observer/fuzz/corpus; all without one
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
}

/// Builds, then runs each target until its time is over or it has found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let corpus = workspace::root().join(FOLDER).join("corpus");
    let known = folders(&corpus)?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no target {unknown}; known are {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let program = build()?;
    let mut found = Vec::new();
    for target in chosen {
        println!("\n=== {target}");
        if let Err(error) = fuzz(&program, target, &corpus.join(target), options.seconds) {
            println!("{target}: {error:#}");
            found.push(target.as_str());
        }
    }
    if !found.is_empty() {
        bail!("something was found in {}: see {}", found.join(", "), findings().display());
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    let output = output();
    let folder = workspace::root().join(FOLDER);
    // What is fuzzed is what is shipped, down to the versions.
    let (lock, copy) = (workspace::root().join("Cargo.lock"), folder.join("Cargo.lock"));
    fs::copy(&lock, &copy).with_context(|| format!("cannot copy {} to {}", lock.display(), copy.display()))?;
    let mut command = workspace::cargo();
    command.current_dir(folder).args(["build", "--release", "--target", TRIPLE]);
    process::run(command.arg("--target-dir").arg(&output).env("RUSTFLAGS", FLAGS))?;
    Ok(output.join(TRIPLE).join("release/fuzz"))
}

/// New inputs are kept for the next time in `target/fuzz/corpus`; the committed ones are only read.
fn fuzz(program: &Path, target: &str, seeds: &Path, seconds: u64) -> Result<()> {
    let grown = output().join("corpus").join(target);
    for folder in [&grown, &findings()] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(findings().join(format!("{target}-")));
    let mut command = std::process::Command::new(program);
    command.env("CONN_OBSERVER_FUZZ", target).arg(format!("-max_total_time={seconds}")).args(LIMITS).arg(prefix);
    process::run(command.args([&grown, seeds]))
}

fn output() -> PathBuf {
    workspace::target_dir().join("fuzz")
}

fn findings() -> PathBuf {
    output().join("findings")
}

/// Names of the folders in a folder.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
