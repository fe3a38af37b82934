//! Which binary is under test, and with which hooks.

use std::path::PathBuf;
use std::process::Command;

/// The observer's command line, with the hook plan this run is about (`CONN_OBSERVER_HOOKS`).
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    if let Ok(plan) = std::env::var("CONN_OBSERVER_HOOKS") {
        command.args(["--hooks", &plan]);
    }
    command.args(arguments);
    command
}

/// The binary under test: `CONN_OBSERVER_BIN`, or the one built beside this test, of the same profile first.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("CONN_OBSERVER_BIN") {
        return path.into();
    }
    let ours = std::env::current_exe().expect("our path");
    let profile = ours.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
    let target = profile.parent().expect("target");
    let candidates = [profile.to_owned(), target.join("release"), target.join("debug")];
    let found = candidates.iter().map(|folder| folder.join("conn-observer")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no conn-observer in {candidates:?}: build it, or set CONN_OBSERVER_BIN"))
}
