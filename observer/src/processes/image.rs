//! The program that a process runs: where it is, which file, and its arguments. Looked for when a finding asks, since
//! most processes never have one.

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::{
    arguments::{Arguments, Redaction},
    life::Life,
};
use crate::{event::Executable, procfile};

/// A file, by its file system and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device number as `stat()` gives it; None where file systems show another one to users than to the kernel.
    pub device: Option<u64>,
    /// Inode number.
    pub inode: u64,
}

impl FileId {
    /// From the numbers of the kernel, which keeps minor numbers in the lower 20 bits.
    #[must_use]
    pub fn of_kernel(device: u32, inode: u64) -> Self {
        let (major, minor) = (device >> 20, device & 0xf_ffff);
        // File systems without a device (overlay, btrfs subvolumes) may have several numbers.
        Self { device: (major != 0).then(|| rustix::fs::makedev(major, minor)), inode }
    }

    /// Of a file.
    #[must_use]
    pub fn of(metadata: &fs::Metadata) -> Self {
        Self { device: Some(metadata.dev()), inode: metadata.ino() }
    }

    /// Whether both may be the same file.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.inode == other.inode && (self.device.is_none() || other.device.is_none() || self.device == other.device)
    }
}

/// A program with its arguments.
#[derive(Debug, Default)]
pub struct Image {
    /// As given to `execve()`; of a script, its interpreter.
    given: Option<PathBuf>,
    /// Which file it is.
    pub file: Option<FileId>,
    /// Its own code in memory.
    pub text: Option<(u64, u64)>,
    known_arguments: Arguments,
    executable: OnceLock<Option<Executable>>,
    arguments: OnceLock<Arguments>,
    /// Those arguments, without what may not be told.
    told: OnceLock<Arc<[String]>>,
    reachable: OnceLock<Option<Arc<Path>>>,
}

impl Image {
    /// A program that the kernel side saw executed.
    pub(super) fn executed(life: Life) -> Self {
        let given = (!life.path.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(&life.path)));
        let known_arguments = Arguments::parse(&life.arguments, life.truncated);
        Self { given, file: life.file, text: life.text, known_arguments, ..Self::default() }
    }

    /// A program that `/proc` showed.
    pub(super) fn shown(
        executable: Option<Executable>,
        file: Option<FileId>,
        text: Option<(u64, u64)>,
        arguments: Arguments,
    ) -> Self {
        Self {
            file,
            text,
            executable: OnceLock::from(executable),
            arguments: OnceLock::from(arguments),
            ..Self::default()
        }
    }

    /// Where it is, found once: by the process while it lives; else by its path, if the file there is the same.
    pub(super) fn executable(&self, pid: u32, ticks: u64, parent: Option<u32>) -> Option<&Executable> {
        let look = || {
            shown_by(pid, ticks, self.file).or_else(|| {
                let given = self.given.as_ref()?;
                let path = self.verified(given, parent).unwrap_or_else(|| given.clone());
                Some(Executable { path: path.to_string_lossy().into_owned(), deleted: None })
            })
        };
        self.executable.get_or_init(look).as_ref()
    }

    /// Where this process can open its file, found once: by its path, or by its path in the parent's root. A process
    /// that is gone had, as a rule, the root of its parent. None until `executable` has found the path.
    pub fn reachable(&self, parent: Option<u32>) -> Option<Arc<Path>> {
        let path = Path::new(&self.executable.get()?.as_ref()?.path);
        let look = || {
            let Some(file) = self.file else { return Some(path.into()) };
            let within = |pid| Some(PathBuf::from(format!("/proc/{pid}/root")).join(path.strip_prefix("/").ok()?));
            let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| FileId::of(&found).matches(&file));
            let found = Some(path.to_owned()).filter(is_it).or_else(|| parent.and_then(within).filter(is_it));
            found.map(Arc::from)
        };
        self.reachable.get_or_init(look).clone()
    }

    /// Its arguments: those that the kernel side saw, or if they were too long or unreadable then, those that the
    /// process shows, if it has executed nothing since.
    fn arguments(&self, pid: u32, ticks: u64, is_newest: bool) -> &Arguments {
        self.arguments.get_or_init(|| {
            if !is_newest {
                return self.known_arguments.clone();
            }
            if self.known_arguments.truncated || self.known_arguments.list.is_empty() {
                let shown = Arguments::of_process(pid);
                if is_alive(pid, ticks) && same(pid, self.file) && !shown.list.is_empty() {
                    return shown;
                }
            }
            self.known_arguments.clone()
        })
    }

    /// Its arguments as they may be told, and whether there were more; the same ones each time.
    pub(super) fn told(
        &self,
        redaction: Redaction,
        pid: u32,
        ticks: u64,
        is_newest: bool,
    ) -> (&Arc<[String]>, Option<bool>) {
        let arguments = self.arguments(pid, ticks, is_newest);
        let told = self.told.get_or_init(|| redaction.apply(&arguments.list).into());
        (told, arguments.truncated.then_some(true))
    }

    /// The absolute path, without symbolic links, if the file there is the one that was executed. A process that is
    /// gone had, as a rule, the working directory and the root of its parent.
    fn verified(&self, given: &Path, parent: Option<u32>) -> Option<PathBuf> {
        let file = self.file?;
        let is_it = |path: &Path| fs::metadata(path).is_ok_and(|found| FileId::of(&found).matches(&file));
        let absolute = if given.is_absolute() {
            given.to_owned()
        } else {
            fs::read_link(format!("/proc/{}/cwd", parent?)).ok()?.join(given)
        };
        if is_it(&absolute) {
            return fs::canonicalize(&absolute).ok();
        }
        // In another mount namespace, where symbolic links would lead astray.
        let root = PathBuf::from(format!("/proc/{}/root", parent?));
        is_it(&root.join(absolute.strip_prefix("/").ok()?)).then_some(absolute)
    }
}

/// The executable that a process shows, if it still is that process and runs that file.
fn shown_by(pid: u32, ticks: u64, file: Option<FileId>) -> Option<Executable> {
    let executable = executable_of(pid)?;
    (is_alive(pid, ticks) && same(pid, file)).then_some(executable)
}

/// The executable that `/proc` shows.
pub(super) fn executable_of(pid: u32) -> Option<Executable> {
    let link = format!("/proc/{pid}/exe");
    let path = fs::read_link(&link).ok()?.to_string_lossy().into_owned();
    let deleted = fs::metadata(&link).is_ok_and(|metadata| metadata.nlink() == 0);
    let bare = path.strip_suffix(" (deleted)").filter(|_| deleted).map(str::to_owned);
    Some(Executable { path: bare.unwrap_or(path), deleted: deleted.then_some(true) })
}

/// The file that a process runs.
pub(super) fn file_of(pid: u32) -> Option<FileId> {
    fs::metadata(format!("/proc/{pid}/exe")).ok().map(|metadata| FileId::of(&metadata))
}

fn same(pid: u32, file: Option<FileId>) -> bool {
    file.is_none_or(|file| file_of(pid).is_some_and(|shown| shown.matches(&file)))
}

/// Whether a process still is the one that started then.
pub(super) fn is_alive(pid: u32, ticks: u64) -> bool {
    procfile::stat(format!("/proc/{pid}"), 22) == Some(ticks)
}
