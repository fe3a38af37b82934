//! The unified hierarchy of control groups (v2): from the path of a group to its id and back, also when no process is
//! left in it.

use std::{
    collections::VecDeque,
    ffi::{c_int, c_uint},
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::{DirEntryExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// `FILEID_KERNFS` of the kernel's `include/linux/exportfs.h`: the handle of a file is its 64-bit id.
const FILEID_KERNFS: c_int = 0xfe;

/// Folders that are looked into for an id where handles are refused: about 100 ms at worst.
const SEARCHED_FOLDERS: usize = 4_096;

/// Id of the control group with this path: the inode of its directory. None when it is gone, or not to be seen here.
#[must_use]
pub fn id_of(path: &str) -> Option<u64> {
    let folder = Hierarchy::mounted()?.folder(path)?;
    fs::metadata(folder).ok().map(|folder| folder.ino())
}

/// Path of the control group with this id, below the root of the hierarchy. None when the group is gone, or the
/// hierarchy is not mounted. Costs some microseconds; where handles are refused (they need CAP_DAC_READ_SEARCH) the
/// directories are searched.
#[must_use]
pub fn path_of(id: u64) -> Option<String> {
    let hierarchy = Hierarchy::mounted()?;
    let folder = match open(&hierarchy.point, id) {
        Ok(folder) => fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd())).ok(),
        // Not allowed, or not built into the kernel.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::EOPNOTSUPP)) => {
            search(&hierarchy.point, id, SEARCHED_FOLDERS)
        }
        // No such group, now or any more.
        Err(_) => None,
    };
    hierarchy.path(&folder?)
}

/// Where the unified hierarchy is mounted, and which part of it is seen there.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    root: String,
    point: PathBuf,
}

impl Hierarchy {
    fn mounted() -> Option<&'static Self> {
        static FOUND: OnceLock<Hierarchy> = OnceLock::new();
        if FOUND.get().is_none() {
            let found = Self::find(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
            // Another thread has found the same.
            let _ = FOUND.set(found);
        }
        FOUND.get()
    }

    /// From `/proc/self/mountinfo`: `36 35 98:0 /root /point options - cgroup2 source …`. The whole hierarchy rather
    /// than a part of it, which may be mounted elsewhere.
    fn find(mounts: &str) -> Option<Self> {
        let hierarchies = mounts.lines().filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            kind.starts_with("cgroup2 ").then(|| Self { root: root.to_owned(), point: point.into() })
        });
        hierarchies.min_by_key(|hierarchy| hierarchy.root != "/")
    }

    /// The directory of a control group.
    fn folder(&self, path: &str) -> Option<PathBuf> {
        let below = path.strip_prefix(self.root.trim_end_matches('/'))?;
        // Outside of what this control group namespace shows.
        let hidden = !(below.is_empty() || below.starts_with('/')) || Path::new(below).starts_with("/..");
        (!hidden).then(|| self.point.join(below.trim_start_matches('/')))
    }

    /// The control group of a directory.
    fn path(&self, folder: &Path) -> Option<String> {
        let below = folder.strip_prefix(&self.point).ok()?.to_str()?;
        // The group went away between the look-up and the link.
        let below = below.strip_suffix(" (deleted)").unwrap_or(below);
        let path = format!("{}/{below}", self.root.trim_end_matches('/'));
        Some(if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path })
    }
}

/// Opens the directory with this id, without access to its contents.
fn open(point: &Path, id: u64) -> io::Result<OwnedFd> {
    /// `struct file_handle` with the eight bytes of kernfs.
    #[repr(C)]
    struct Handle {
        bytes: c_uint,
        kind: c_int,
        id: u64,
    }
    let mount = File::open(point)?;
    let mut handle = Handle { bytes: 8, kind: FILEID_KERNFS, id };
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the kernel reads a struct file_handle and as many bytes behind it as it says, all of them in `handle`.
    let fd = unsafe { libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The directory with this inode at or below `top`, the upper ones first, within so many folders.
fn search(top: &Path, inode: u64, mut folders: usize) -> Option<PathBuf> {
    if fs::metadata(top).ok()?.ino() == inode {
        return Some(top.to_owned());
    }
    let mut waiting = VecDeque::from([top.to_owned()]);
    while let Some(folder) = waiting.pop_front() {
        folders = folders.checked_sub(1)?;
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.ino() == inode {
                    return Some(entry.path());
                }
                waiting.push_back(entry.path());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "21 26 0:20 / /sys rw,nosuid - sysfs sysfs rw
30 21 0:27 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
29 21 0:26 /pods/a /mnt/part rw,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
31 21 0:26 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn the_unified_hierarchy_is_found_among_the_mounts() {
        let hierarchy = Hierarchy::find(MOUNTS).unwrap();
        assert_eq!(hierarchy, Hierarchy { root: "/".to_owned(), point: "/sys/fs/cgroup/unified".into() });
        let folder = |path| hierarchy.folder(path).map(|folder| folder.to_str().unwrap().to_owned());
        assert_eq!(folder("/").as_deref(), Some("/sys/fs/cgroup/unified/"));
        assert_eq!(folder("/system.slice/a.service").as_deref(), Some("/sys/fs/cgroup/unified/system.slice/a.service"));
        assert_eq!(folder("/../other"), None);
        assert_eq!(Hierarchy::find("garbage\n"), None);
    }

    #[test]
    fn a_part_of_the_hierarchy_shows_only_what_is_below_it() {
        let part = Hierarchy { root: "/pods/a".to_owned(), point: "/cg".into() };
        assert_eq!(part.folder("/pods/a/b"), Some("/cg/b".into()));
        assert_eq!(part.folder("/pods/ab"), None);
        assert_eq!(part.folder("/other"), None);
    }

    #[test]
    fn a_directory_has_the_path_below_the_root() {
        let whole = Hierarchy { root: "/".to_owned(), point: "/sys/fs/cgroup".into() };
        let path = |folder: &str| whole.path(Path::new(folder));
        assert_eq!(path("/sys/fs/cgroup").as_deref(), Some("/"));
        assert_eq!(path("/sys/fs/cgroup/a.slice/b.scope").as_deref(), Some("/a.slice/b.scope"));
        assert_eq!(path("/sys/fs/cgroup/a.slice (deleted)").as_deref(), Some("/a.slice"));
        assert_eq!(path("/elsewhere"), None);
        let part = Hierarchy { root: "/pods/a".to_owned(), point: "/cg".into() };
        assert_eq!(part.path(Path::new("/cg")).as_deref(), Some("/pods/a"));
        assert_eq!(part.path(Path::new("/cg/b")).as_deref(), Some("/pods/a/b"));
    }

    #[test]
    fn a_directory_is_found_by_its_inode_within_so_many_folders() {
        let top = std::env::temp_dir().join(format!("conn-observer-cgroup-{}", std::process::id()));
        let deep = top.join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(top.join("d")).unwrap();
        fs::write(top.join("e"), "a file is no group").unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(search(&top, inode(&deep), 4), Some(deep.clone()));
        assert_eq!(search(&top, inode(&deep), 3), None, "too far: it is in the fourth folder, after the top, a, d");
        assert_eq!(search(&top, inode(&top), 1), Some(top.clone()));
        assert_eq!(search(&top, inode(&top.join("e")), 99), None);
        fs::remove_dir_all(&top).unwrap();
    }
}
