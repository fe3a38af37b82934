//! An observer of our own, which records into a temporary store as long as `top` looks at it.

use std::{
    env,
    fs::{self, DirBuilder, File},
    io,
    os::unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    panic,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::{clock, store::Store};

/// How long the observer may take to attach: some kernels check its programs for seconds.
const STARTS: Duration = Duration::from_secs(30);

/// How long it may take to end.
const ENDS: Duration = Duration::from_secs(5);

/// Between two looks whether it is so far.
const PAUSE: Duration = Duration::from_millis(20);

/// A running observer. Dropped, it is ended, and what it has recorded is removed; also by a panic, which drops nothing.
pub(super) struct Recording(Arc<Running>);

struct Running {
    child: Mutex<Child>,
    folder: PathBuf,
}

impl Recording {
    /// Starts an observer, and waits until it records; `interrupted` says that nobody wants it any more.
    ///
    /// # Errors
    /// What the observer itself says when it cannot run.
    pub(super) fn start(interrupted: impl Fn() -> bool) -> Result<Self> {
        let folder = env::temp_dir().join(format!("conn-observer-top-{}-{}", std::process::id(), clock::stamp(None)));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let recording = match Self::spawn(&folder) {
            Ok(child) => Self::of(child, folder),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                return Err(error);
            }
        };
        let until = Instant::now() + STARTS;
        // Its first event says that the hooks are attached.
        while !Store::open(&recording.store()).is_ok_and(|store| matches!(store.span(), Ok(Some(_)))) {
            if let Some(told) = recording.ended()? {
                bail!("cannot observe: {told}");
            }
            if interrupted() {
                bail!("interrupted before the observer had started");
            }
            if Instant::now() > until {
                bail!("the observer has recorded nothing within {} s", STARTS.as_secs());
            }
            thread::sleep(PAUSE);
        }
        Ok(recording)
    }

    /// Of a child that records there.
    fn of(child: Child, folder: PathBuf) -> Self {
        let running = Arc::new(Running { child: Mutex::new(child), folder });
        let (also, tell) = (Arc::downgrade(&running), panic::take_hook());
        panic::set_hook(Box::new(move |panicked| {
            // First, though it may take its time: the process ends by what is called next.
            also.upgrade().iter().for_each(|running| running.end());
            tell(panicked);
        }));
        Self(running)
    }

    fn spawn(folder: &Path) -> Result<Child> {
        let program = env::current_exe().context("cannot find this program itself")?;
        let errors = File::create(errors(folder)).context("cannot make a temporary file")?;
        let mut command = Command::new(program);
        command.arg("--record").arg(folder.join("events.db"));
        // A group of its own: what the terminal sends is for us.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).process_group(0);
        let parent = Pid::from_raw(std::process::id().cast_signed());
        // SAFETY: between fork and exec the child makes plain system calls only.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::TERM))?;
                // The parent may have ended before that.
                if rustix::process::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            });
        }
        command.spawn().context("cannot start an observer")
    }

    /// Where it records.
    pub(super) fn store(&self) -> PathBuf {
        self.0.folder.join("events.db")
    }

    /// Its last words, once it has ended.
    ///
    /// # Errors
    /// When nobody can tell.
    pub(super) fn ended(&self) -> Result<Option<String>> {
        let status = self.0.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
        let Some(status) = status.context("cannot wait for the observer")? else { return Ok(None) };
        let said = fs::read_to_string(errors(&self.0.folder)).unwrap_or_default();
        let last = said.lines().last().unwrap_or_default();
        let last = last.strip_prefix("conn-observer: ").unwrap_or(last);
        Ok(Some(if last.is_empty() { format!("the observer has ended ({status})") } else { last.to_owned() }))
    }
}

impl Running {
    fn end(&self) {
        let mut child = match self.child.try_lock() {
            Ok(child) => child,
            Err(TryLockError::Poisoned(child)) => child.into_inner(),
            // Whoever looks at it right now has panicked: it ends with us.
            Err(TryLockError::WouldBlock) => return,
        };
        let until = Instant::now() + ENDS;
        if matches!(child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        }
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
            thread::sleep(PAUSE);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn errors(folder: &Path) -> PathBuf {
    folder.join("errors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Folder;

    #[test]
    fn a_panic_ends_the_observer_and_removes_what_it_recorded() {
        let folder = Folder::new("panic");
        fs::write(folder.join("events.db"), "").unwrap();
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let recording = Recording::of(child, folder.path().to_owned());
        assert!(recording.ended().unwrap().is_none());
        assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
        // Nothing was dropped, as where a panic aborts.
        assert!(!folder.path().exists());
        assert!(recording.ended().unwrap().is_some());
    }
}
