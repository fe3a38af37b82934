//! What is told of a process that owns a socket, in the words of the kernel side.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use observer_ebpf::COMM_LEN;

use crate::procfile;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) comm: [u8; COMM_LEN],
    pub(crate) cgroup_id: u64,
}

impl Owner {
    /// None when it has ended.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let status = procfile::field(format!("/proc/{pid}/status"), "Uid")?;
        // Real, effective, saved and file system user.
        let uid = status.split_whitespace().next()?.parse().ok()?;
        // `Name:` of `status` is escaped; this is not.
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        Some(Self { uid, comm: comm(&name), cgroup_id: cgroup_id(&cgroups) })
    }
}

/// A name and its line end, as the kernel keeps it: NUL-padded.
fn comm(line: &[u8]) -> [u8; COMM_LEN] {
    let name = line.strip_suffix(b"\n").unwrap_or(line);
    let mut comm = [0; COMM_LEN];
    for (slot, byte) in comm.iter_mut().take(COMM_LEN - 1).zip(name) {
        *slot = *byte;
    }
    comm
}

/// Where the unified hierarchy is mounted, and which part of it is seen there.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    root: String,
    point: PathBuf,
}

impl Hierarchy {
    /// From `/proc/self/mountinfo`: `36 35 98:0 /root /point options - cgroup2 source …`.
    fn find(mounts: &str) -> Option<Self> {
        mounts.lines().find_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            kind.starts_with("cgroup2 ").then(|| Self { root: root.to_owned(), point: point.into() })
        })
    }

    /// The directory of a control group.
    fn folder(&self, path: &str) -> Option<PathBuf> {
        let below = path.strip_prefix(self.root.trim_end_matches('/'))?;
        // Outside of what this control group namespace shows.
        let hidden = !(below.is_empty() || below.starts_with('/')) || Path::new(below).starts_with("/..");
        (!hidden).then(|| self.point.join(below.trim_start_matches('/')))
    }
}

/// Id of the control group in `0::/path`, the line of the unified hierarchy: the inode of its directory. 0 when unknown.
fn cgroup_id(cgroups: &str) -> u64 {
    static HIERARCHY: OnceLock<Option<Hierarchy>> = OnceLock::new();
    let find = || Hierarchy::find(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"));
    let folder = path.zip(HIERARCHY.get_or_init(find).as_ref()).and_then(|(path, found)| found.folder(path));
    folder.and_then(|folder| fs::metadata(folder).ok()).map_or(0, |folder| folder.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "21 26 0:20 / /sys rw,nosuid - sysfs sysfs rw
30 21 0:27 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
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
    fn names_are_padded() {
        assert_eq!(&comm(b"curl\n"), b"curl\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm(b"kworker/0:1-events\n"), b"kworker/0:1-eve\0");
    }

    #[test]
    fn this_process_can_be_described() {
        let owner = Owner::read(std::process::id()).unwrap();
        assert_eq!(owner.uid, rustix::process::getuid().as_raw());
        assert_ne!(owner.comm, [0; COMM_LEN]);
        assert_eq!(Owner::read(u32::MAX), None);
    }
}
