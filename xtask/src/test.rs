//! `cargo xtask test [-- FILTER]`: the unit tests as the invoking user, then the live tests as root.

use std::process::Command;

use anyhow::Result;

use crate::{artifacts, privilege, process, tally::Tally, workspace};

/// The package whose test program needs root.
const LIVE_PACKAGE: &str = "conn-observer-tests";

/// All tests, or those whose names contain a filter. Runs everything whatever fails.
pub(crate) fn run(filter: &[String]) -> Result<Tally> {
    let units = cargo_test(&["--workspace", "--exclude", LIVE_PACKAGE], filter)?;
    // Once more as it is shipped: what an optimiser makes of code may be something else (rust-lang/rust#158206).
    // With the harness of the live tests, which are left out here and run below.
    let shipped = cargo_test(&[&["--release", "--lib", "--bins"], &artifacts::PACKAGES[..]].concat(), filter)?;
    // The counts so far are worth something even when the live tests do not build.
    let live = live(filter).unwrap_or_else(|error| {
        println!("test: {error:#}");
        Tally::FAILURE
    });
    let total = units + shipped + live;
    println!("test: {total}");
    Ok(total)
}

fn cargo_test(selection: &[&str], filter: &[String]) -> Result<Tally> {
    let mut command = workspace::cargo();
    command.args(["test", "--quiet", "--no-fail-fast"]).args(selection).arg("--").args(filter);
    let (text, success) = process::tee(&mut command)?;
    Ok(Tally::of_program(&text, success))
}

/// The program itself tells what this machine forbids: such tests count as skipped, with the reason.
fn live(filter: &[String]) -> Result<Tally> {
    let [live, observer] = artifacts::release([artifacts::LIVE, artifacts::OBSERVER])?;
    let folder = workspace::root().join("tests");
    let mut command = Command::new(live);
    // As under `cargo test`, where a test finds its files by these.
    command.args(filter).current_dir(&folder).env("CARGO_MANIFEST_DIR", &folder);
    command.env("CONN_OBSERVER_BIN", observer);
    if !privilege::is_root() {
        match privilege::sudo() {
            Some(sudo) => command = privilege::through(sudo, &command),
            None => {
                println!("test: NOT root and no sudo here: live tests that need root are skipped")
            }
        }
    }
    let (text, success) = process::tee(&mut command)?;
    Ok(Tally::of_program(&text, success))
}
