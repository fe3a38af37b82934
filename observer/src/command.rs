//! COMMAND: a process that waits before its first instruction until the hooks are attached. It keeps all privileges that
//! the observer gives up meanwhile; the thread that has forked it keeps them too, and ends as soon as it may run.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{self, Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
};

/// Name of the thread that has forked COMMAND.
pub const THREAD: &str = "command";

/// A started command, before or after its release.
pub struct Child {
    pid: u32,
    gate: Option<io::PipeWriter>,
    executed: oneshot::Receiver<io::Result<process::Child>>,
    running: Option<Running>,
}

/// A command that executes its program.
struct Running {
    child: process::Child,
    /// Readable once it has ended.
    handle: AsyncFd<OwnedFd>,
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
        let (sender, executed) = oneshot::channel();
        thread::Builder::new()
            .name(THREAD.to_owned())
            // Returns when the child has executed the program, or could not.
            .spawn(move || drop(sender.send(child.spawn())))
            .context("cannot start the command thread")?;
        let mut pid = [0; 4];
        pid_reader.read_exact(&mut pid).context("cannot start the command")?;
        Ok(Self { pid: u32::from_ne_bytes(pid), gate: Some(opener), executed, running: None })
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
        let running = match &mut self.running {
            Some(running) => running,
            none => {
                let Ok(child) = (&mut self.executed).await else { bail!("the command thread ended early") };
                let child =
                    child.context("cannot execute COMMAND: check its #! line, if it has one, and its architecture")?;
                none.insert(Running::new(child)?)
            }
        };
        let _readable = running.handle.readable().await.context("cannot wait for COMMAND")?;
        running.child.wait().context("cannot wait for COMMAND")
    }

    /// Passes a signal on.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended in between.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Running {
    fn new(child: process::Child) -> Result<Self> {
        let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::NONBLOCK).or_else(|error| match error {
            // A flag since 5.10; it is only waited for here.
            rustix::io::Errno::INVAL => pidfd_open(Pid::from_child(&child), PidfdFlags::empty()),
            _ => Err(error),
        });
        let handle = handle.context("cannot watch COMMAND")?;
        // SAFETY: the descriptor is owned as long as it is waited for, and is always the same one.
        let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }
            .map_err(|error| anyhow::Error::msg(error.to_string()))
            .context("cannot watch COMMAND")?;
        Ok(Self { child, handle })
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
