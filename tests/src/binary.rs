//! Which binary is under test, and with which hooks.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Command};
use std::{env, fs};

/// A user without any privilege.
const NOBODY: u32 = 65_534;

/// The observer's command line, with the hook plan this run is about (`CONN_OBSERVER_HOOKS`).
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    if let Ok(plan) = env::var("CONN_OBSERVER_HOOKS") {
        command.args(["--hooks", &plan]);
    }
    command.args(arguments);
    command
}

/// The binary under test: `CONN_OBSERVER_BIN`, or the one built beside this test, of the same profile first.
pub fn path() -> PathBuf {
    if let Some(path) = env::var_os("CONN_OBSERVER_BIN") {
        return path.into();
    }
    let ours = env::current_exe().expect("our path");
    let profile = ours.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
    let target = profile.parent().expect("target");
    let candidates = [profile.to_owned(), target.join("release"), target.join("debug")];
    let found = candidates.iter().map(|folder| folder.join("conn-observer")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no conn-observer in {candidates:?}: build it, or set CONN_OBSERVER_BIN"))
}

/// A copy of the binary that everybody may run: the build folder may be closed to others.
pub struct PublicCopy(PathBuf);

impl PublicCopy {
    /// A copy for the test of this name.
    pub fn new(test: &str) -> Self {
        let copy = env::temp_dir().join(format!("conn-observer-{test}-{}", process::id()));
        fs::copy(path(), &copy).expect("a copy of the binary");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("its permissions");
        Self(copy)
    }

    /// Its command line, without a hook plan, run by a user without any privilege.
    pub fn as_nobody(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        // `uid` also leaves root's groups.
        command.args(arguments).current_dir("/").uid(NOBODY).gid(NOBODY);
        command
    }
}

impl Drop for PublicCopy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
