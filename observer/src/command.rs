//! COMMAND: a process that waits before its first instruction until the hooks are attached.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

/// A started command, before or after its release.
pub struct Child {
    pid: u32,
    gate: Option<io::PipeWriter>,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Child {
    /// Forks; the child waits. Its standard output becomes standard error unless `keep_stdout`: standard output
    /// belongs to the events.
    ///
    /// # Errors
    /// When the program cannot be found or the child cannot be made.
    pub fn prepare(command: &[OsString], keep_stdout: bool) -> Result<Self> {
        let (program, arguments) = command.split_first().context("no command")?;
        let (mut gate, opener) = io::pipe().context("cannot make a pipe")?;
        let (mut pid_reader, mut pid_writer) = io::pipe().context("cannot make a pipe")?;
        let mut child = Command::new(program);
        child.args(arguments);
        if !keep_stdout {
            let stderr = io::stderr().as_fd().try_clone_to_owned().context("cannot use standard error")?;
            child.stdout(Stdio::from(stderr));
        }
        let ours = opener.as_raw_fd();
        // SAFETY: between fork and exec the child makes plain system calls only. It gives up its copy of the gate's
        // other end, or it would wait for itself when the observer is gone; it tells its id, then blocks until the
        // gate opens. End of file means that the observer gave up.
        unsafe {
            child.pre_exec(move || {
                libc::close(ours);
                pid_writer.write_all(&std::process::id().to_ne_bytes())?;
                let mut go = [0];
                gate.read_exact(&mut go)
            });
        }
        let (sender, ended) = oneshot::channel();
        thread::Builder::new()
            .name("command".to_owned())
            .spawn(move || {
                // Returns when the child has executed the program, or could not.
                let status = child.spawn().and_then(|mut running| {
                    drop(child);
                    running.wait()
                });
                let _ = sender.send(status);
            })
            .context("cannot start the command thread")?;
        let mut pid = [0; 4];
        pid_reader.read_exact(&mut pid).context("cannot start the command")?;
        Ok(Self { pid: u32::from_ne_bytes(pid), gate: Some(opener), ended })
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it execute its program.
    ///
    /// # Errors
    /// When it is gone.
    pub fn release(&mut self) -> Result<()> {
        let mut gate = self.gate.take().context("the command runs already")?;
        gate.write_all(&[1]).context("the command ended before it began")
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the program could not be executed.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        match (&mut self.ended).await {
            Ok(status) => {
                status.context("cannot execute COMMAND: check its #! line, if it has one, and its architecture")
            }
            Err(_) => bail!("the command thread ended early"),
        }
    }

    /// Passes a signal on.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended in between.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Exit status as a shell tells it: 128 and the signal's number for a killed process.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Checks that a program can be executed, as `execvp` would find it.
///
/// # Errors
/// Names the program.
pub fn find(program: &OsStr) -> Result<()> {
    let usable = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    let path = Path::new(program);
    let found = if path.components().count() > 1 {
        usable(path)
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| usable(&folder.join(path)))
    };
    if !found {
        bail!("command {} not found: give its path, or check PATH", path.display());
    }
    Ok(())
}
