//! Builds the release binaries and tells where cargo put them.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{process, workspace};

/// The observer itself.
pub(crate) const OBSERVER: Target = Target { package: "conn-observer", flag: "--bin", name: "conn-observer" };
/// A client that leaves bodies unread.
pub(crate) const UNDRAINED: Target = Target { package: "conn-observer", flag: "--example", name: "undrained" };
/// The live tests, one program.
pub(crate) const LIVE: Target = Target { package: "conn-observer-tests", flag: "--test", name: "live" };
/// A load of connections that come and go.
pub(crate) const CHURN: Target = Target { package: "conn-observer-tests", flag: "--bin", name: "churn" };
/// PID 1 of the test guest.
pub(crate) const GUEST_INIT: Target = Target { package: "conn-observer-tests", flag: "--bin", name: "guest-init" };

/// Makes cargo tell what it has built, beside what it tells people.
const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// All packages that are built in release, whichever is wanted: what dependencies are built with depends on what is chosen
/// together, and everything would be built once more for each choice.
pub(crate) const PACKAGES: [&str; 4] = ["--package", "conn-observer", "--package", "conn-observer-tests"];

/// One program of the workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    package: &'static str,
    flag: &'static str,
    name: &'static str,
}

/// Builds these programs in release and gives their paths in the same order.
pub(crate) fn release<const N: usize>(targets: [Target; N]) -> Result<[PathBuf; N]> {
    let mut command = workspace::cargo();
    command.args(["build", "--release", MESSAGES]).args(PACKAGES).stderr(Stdio::inherit());
    // Always an example: what dependencies are built with depends, too, on whether anything is built that is for development.
    for target in targets.iter().chain([&UNDRAINED]) {
        command.args([target.flag, target.name]);
    }
    let messages = process::read_text(&mut command)?;
    let mut paths = [const { PathBuf::new() }; N];
    for (path, target) in paths.iter_mut().zip(targets) {
        *path = find(&messages, target)?;
    }
    Ok(paths)
}

/// Runs a cargo that builds the observer as the caller wants it, and gives its path. `cargo` ends with a sub-command and
/// the options for it; `flags` are for the compiler of the program itself, with `cargo rustc`.
pub(crate) fn observer_by(cargo: &mut Command, flags: &[String]) -> Result<PathBuf> {
    let Target { package, flag, name } = OBSERVER;
    cargo.args(["--package", package, flag, name, MESSAGES]).stderr(Stdio::inherit());
    if !flags.is_empty() {
        cargo.arg("--").args(flags);
    }
    find(&process::read_text(cargo)?, OBSERVER)
}

fn find(messages: &str, target: Target) -> Result<PathBuf> {
    executable(messages, target).with_context(|| format!("cargo built no program {}", target.name))
}

/// Finds a program in cargo's JSON messages.
fn executable(messages: &str, target: Target) -> Option<PathBuf> {
    let kind = target.flag.trim_start_matches('-');
    messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let built = &message["target"];
        let matches = built["name"] == target.name
            && built["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|word| word == kind));
        if matches { message["executable"].as_str().map(PathBuf::from) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_from_the_library_of_the_same_name() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"live","kind":["lib"]},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"live","kind":["test"]},"executable":"/t/live-1a"}"#;
        assert_eq!(executable(messages, LIVE), Some(PathBuf::from("/t/live-1a")));
        assert_eq!(executable(messages, GUEST_INIT), None);
    }
}
