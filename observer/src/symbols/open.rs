//! Opens files that others name. Only regular ones: to open a pipe may block, to open a device may have effects. Paths of
//! a process are resolved within its root, as it would itself.

use std::{fs::File, io, os::unix::fs::MetadataExt as _, path::Path};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags, fstat, open, openat2, statx},
    time::{ClockId, clock_gettime},
};

use super::{maps::Mapping, request::Executable};
use crate::{processes::FileId, procfile};

/// A state of a file. A file that is replaced or written to gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileKey {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl FileKey {
    pub(super) fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Opens a regular file by a path of this process.
pub(super) fn regular(path: &Path) -> io::Result<File> {
    reopen(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// Opens for reading what was found without opening it.
fn reopen(found: File) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))
}

/// Opens a file by a path of another process.
fn within(pid: u32, path: &Path) -> io::Result<File> {
    let root = open(format!("/proc/{pid}/root"), OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    reopen(openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?.into())
}

/// Opens the file of a mapping, also when it is deleted or lies in another mount namespace.
pub(super) fn mapped(pid: u32, mapping: &Mapping) -> Option<File> {
    let link = format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end);
    if let Ok(file) = regular(Path::new(&link)) {
        return Some(file);
    }
    // Without the capability that this takes: the path, or the link to the program. Some file systems show one device
    // number here and another one there, so that the inode must do.
    let same = |file: &File| file.metadata().is_ok_and(|metadata| metadata.ino() == mapping.inode);
    let by_path = within(pid, Path::new(&*mapping.path)).ok().filter(same);
    by_path.or_else(|| regular(Path::new(&format!("/proc/{pid}/exe"))).ok().filter(same))
}

/// Opens a program whose process, which began at `start_ns`, may be gone.
pub(super) fn executable(executable: &Executable, start_ns: u64) -> Option<File> {
    let file = regular(&executable.path).ok()?;
    let metadata = file.metadata().ok()?;
    let same = match executable.file {
        Some(wanted) => wanted.matches(&FileId::of(&metadata)),
        // What was moved or written since has a later change time.
        None => start_ns != 0 && changed_ns(&file)? < wall_ns(start_ns)?,
    };
    same.then_some(file)
}

/// Time of the last change, nanoseconds of the wall clock.
fn changed_ns(file: &File) -> Option<i128> {
    let changed = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::CTIME).ok()?.stx_ctime;
    Some(i128::from(changed.tv_sec) * 1_000_000_000 + i128::from(changed.tv_nsec))
}

/// A time of CLOCK_BOOTTIME by the wall clock.
fn wall_ns(boot_ns: u64) -> Option<i128> {
    let now = |clock| i128::try_from(std::time::Duration::try_from(clock_gettime(clock)).ok()?.as_nanos()).ok();
    Some(now(ClockId::Realtime)? - now(ClockId::Boottime)? + i128::from(boot_ns))
}

/// The perf map of a process, if it has written one: the file must belong to the user of the process, or to root.
pub(super) fn perf_map(pid: u32) -> Option<File> {
    // Its own number in the innermost PID namespace comes last.
    let numbers = procfile::field(format!("/proc/{pid}/status"), "NSpid")?;
    let own = numbers.split_whitespace().next_back()?;
    let file = within(pid, Path::new(&format!("/tmp/perf-{own}.map"))).ok()?;
    let owner = file.metadata().ok()?.uid();
    let user = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    (owner == user || owner == 0).then_some(file)
}

/// Separate debug information of a program, as distributions install it.
pub(super) fn debug_file(build_id: &[u8]) -> Option<File> {
    use std::fmt::Write as _;
    let (first, rest) = build_id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let mut path = format!("/usr/lib/debug/.build-id/{first:02x}/");
    for byte in rest {
        let _ = write!(path, "{byte:02x}");
    }
    path.push_str(".debug");
    regular(Path::new(&path)).ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, time::Duration};

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;
    use crate::{netns::boot_time, symbols::maps};

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("open-{}-{name}", std::process::id()))
    }

    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let pipe = scratch("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(regular(&pipe).is_err());
        fs::remove_file(pipe).unwrap();
        assert!(regular(Path::new("/dev/null")).is_err());
        assert!(regular(Path::new("/proc/self/exe")).is_ok());
    }

    #[test]
    fn the_file_of_a_mapping_is_opened() {
        let maps = maps::parse(&fs::read_to_string("/proc/self/maps").unwrap());
        let own = std::env::current_exe().unwrap();
        let mapping = maps.iter().find(|map| Path::new(&*map.path) == own).unwrap();
        let expected = FileKey::of(&File::open(&own).unwrap());
        assert_eq!(FileKey::of(&mapped(std::process::id(), mapping).unwrap()), expected);
        assert_eq!(FileKey::of(&within(std::process::id(), &own).unwrap()), expected);
        let other = Mapping { start: 0, inode: mapping.inode + 1, ..mapping.clone() };
        assert!(mapped(std::process::id(), &other).is_none(), "another file has that path by now");
    }

    #[test]
    fn a_program_that_was_replaced_is_not_taken_for_it() {
        let path = scratch("program");
        fs::write(&path, "old").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let mut program = Executable { path: path.as_path().into(), file: Some(FileId::of(&metadata)) };
        let started = |ago| (boot_time() + Duration::from_secs(60) - ago).as_nanos() as u64;
        assert!(executable(&program, 0).is_some());
        program.file = None;
        assert!(executable(&program, started(Duration::ZERO)).is_some());
        assert!(executable(&program, started(Duration::from_secs(120))).is_none(), "changed after the start");
        assert!(executable(&program, 0).is_none(), "nobody knows");
        program.file = Some(FileId { device: None, inode: metadata.ino() + 1 });
        assert!(executable(&program, 0).is_none());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn debug_files_are_looked_for_by_build_id() {
        assert!(debug_file(&[]).is_none());
        assert!(debug_file(&[1]).is_none());
        assert!(debug_file(&[0xff; 20]).is_none(), "there is hardly such a file");
    }
}
