//! The Python environment that `cargo xtask setup` makes for this workspace alone: engines and validators that are not
//! of our making. What is in it: `tests/peers/python/requirements.txt`.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::feature::sources;

/// Its interpreter running one of `tests/peers/python`.
pub fn script(name: &str) -> Command {
    let mut command = Command::new(environment().expect("target/tools/python").join("bin/python"));
    command.arg(sources().join("python").join(name));
    command
}

/// Whether a module can be imported there: its folder exists.
pub fn has(module: &str) -> bool {
    let Some(Ok(versions)) = environment().map(|folder| fs::read_dir(folder.join("lib"))) else { return false };
    versions.flatten().any(|version| version.path().join("site-packages").join(module).is_dir())
}

/// `target/tools/python`, beside the folder that this test was built in; None where that is no build folder.
fn environment() -> Option<PathBuf> {
    let ours = env::current_exe().expect("our path");
    Some(ours.ancestors().nth(3)?.join("tools/python"))
}
