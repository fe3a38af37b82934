//! Raises privilege for the one program that needs it; everything else runs as the invoking user.

use std::{path::PathBuf, process::Command};

use crate::workspace;

/// Whether we are root already.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The program that can raise privilege.
pub(crate) fn sudo() -> Option<PathBuf> {
    workspace::program("sudo")
}

/// The same command through `sudo`. The command's own variables go with it as arguments of `env`, since sudo keeps
/// those that it likes.
pub(crate) fn through(sudo: PathBuf, command: &Command) -> Command {
    let mut raised = Command::new(sudo);
    raised.args(["--", "env"]);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let mut pair = name.to_owned();
            pair.push("=");
            pair.push(value);
            raised.arg(pair);
        }
    }
    raised.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        raised.current_dir(dir);
    }
    raised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    #[test]
    fn variables_survive_sudo() {
        let mut command = Command::new("/bin/live");
        command.arg("--nocapture").env("CONN_OBSERVER_BIN", "/t/conn-observer").env_remove("LANG");
        let raised = through("/usr/bin/sudo".into(), &command);
        let line = "/usr/bin/sudo -- env CONN_OBSERVER_BIN=/t/conn-observer /bin/live --nocapture";
        assert_eq!(process::line(&raised), line);
    }
}
