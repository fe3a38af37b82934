//! `cargo xtask run -- ARGS`: builds the observer and becomes it, as root.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{artifacts, privilege, process};

/// Words that ask about the program instead of starting it: they need no privilege.
const UNPRIVILEGED: [&str; 5] = ["schema", "--help", "-h", "--version", "-V"];

/// Does not return unless it fails: the observer takes our place, so its exit status is what the shell sees.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [observer] = artifacts::release([artifacts::OBSERVER])?;
    become_observer(&observer, arguments)
}

/// `cargo xtask demo`: observes a client that leaves bodies unread.
pub(crate) fn demo() -> Result<()> {
    let [observer, undrained] = artifacts::release([artifacts::OBSERVER, artifacts::UNDRAINED])?;
    // Patient, since the first event waits until the example's symbols are read.
    let arguments = ["--symbol-budget", "1s", "--", &undrained.display().to_string()].map(str::to_owned);
    become_observer(&observer, &arguments)
}

fn become_observer(observer: &Path, arguments: &[String]) -> Result<()> {
    let mut command = Command::new(observer);
    command.args(arguments);
    // Only up to `--`: what follows is a command to observe, whose words are not ours.
    let own = arguments.iter().take_while(|word| *word != "--");
    let needed = !own.into_iter().any(|word| UNPRIVILEGED.contains(&word.as_str()));
    if needed && !privilege::is_root() {
        let Some(sudo) = privilege::sudo() else {
            bail!("loading BPF programs needs root, and there is no sudo here; run this as root");
        };
        command = privilege::through(sudo, &command);
    }
    let line = process::line(&command);
    Err(command.exec()).with_context(|| format!("cannot start `{line}`"))
}
