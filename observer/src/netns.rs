//! Network namespaces, found through the processes and threads in them. No file of another namespace stays open: it
//! would keep the namespace alive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use crate::procfile;

/// Unit of times in `/proc/PID/stat`: USER_HZ, 100 on every architecture that the observer runs on.
const TICK_MS: u64 = 10;

/// A process or thread that is, or was, in a network namespace. Below its folder `/proc` shows the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    inode: u32,
    folder: PathBuf,
}

impl Member {
    /// Whoever is described in this folder of `/proc`; None when nobody is, or nobody may look.
    #[must_use]
    pub fn at(folder: PathBuf) -> Option<Self> {
        Some(Self { inode: inode_at(&folder)?, folder })
    }

    /// Inode of the namespace.
    #[must_use]
    pub fn inode(&self) -> u32 {
        self.inode
    }

    /// Reads a file of the namespace, such as `snmp`.
    ///
    /// # Errors
    /// When the member has ended or moved to another namespace: its id may belong to a stranger by now.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let text = fs::read_to_string(self.folder.join("net").join(file))?;
        if inode_at(&self.folder) != Some(self.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(text)
    }

    /// Opens the namespace itself, to enter it. It lives at least as long as the file is open.
    ///
    /// # Errors
    /// As [`Member::read`].
    pub fn open(&self) -> io::Result<fs::File> {
        let file = fs::File::open(self.folder.join("ns/net"))?;
        if file.metadata()?.ino() != u64::from(self.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(file)
    }

    /// Whether it was there already at a [`boot_time`]. Then it vouches for the namespace being the one of that time:
    /// inode numbers are given away again.
    #[must_use]
    pub fn existed_at(&self, time: Duration) -> bool {
        const START_TIME: usize = 22;
        procfile::stat(&self.folder, START_TIME).is_some_and(|ticks| Duration::from_millis(ticks * TICK_MS) < time)
    }
}

/// Time since boot, the clock by which `/proc` tells when a process began.
#[must_use]
pub fn boot_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The namespace of this process.
#[must_use]
pub fn own() -> Option<Member> {
    Member::at("/proc/self".into())
}

/// The host's own namespace, the one it started with: kernel threads never leave it. Where the first of them cannot be
/// seen, the one of process 1 stands in.
#[must_use]
pub fn of_host() -> Option<u32> {
    let threads = Path::new("/proc/2");
    let is_kernel = fs::read_to_string(threads.join("comm")).is_ok_and(|name| name.trim_end() == "kthreadd");
    inode_at(if is_kernel { threads } else { Path::new("/proc/1") })
}

/// A member of every namespace that some process is in, this one's first of all. Threads that have left the namespace of
/// their process are rare, and looked at by [`find`] only.
#[must_use]
pub fn all() -> BTreeMap<u32, Member> {
    let mut found = BTreeMap::new();
    let processes = procfile::ids("/proc").into_iter().map(|pid| PathBuf::from(format!("/proc/{pid}")));
    for member in own().into_iter().chain(processes.filter_map(Member::at)) {
        found.entry(member.inode).or_insert(member);
    }
    found
}

/// A member of each of these namespaces; none stands for all of them.
#[must_use]
pub fn chosen(wanted: &BTreeSet<u32>) -> BTreeMap<u32, Member> {
    if wanted.is_empty() { all() } else { find(wanted) }
}

/// A member of each of these namespaces, as far as there is one: a process, or else a thread.
#[must_use]
pub fn find(wanted: &BTreeSet<u32>) -> BTreeMap<u32, Member> {
    let mut found = all();
    found.retain(|inode, _| wanted.contains(inode));
    if found.len() == wanted.len() {
        return found;
    }
    for pid in procfile::ids("/proc") {
        let tasks = format!("/proc/{pid}/task");
        // The first thread is the process.
        for thread in procfile::ids(&tasks).into_iter().filter(|thread| *thread != pid) {
            let member = Member::at(Path::new(&tasks).join(thread.to_string()));
            if let Some(member) = member.filter(|member| wanted.contains(&member.inode)) {
                found.entry(member.inode).or_insert(member);
                if found.len() == wanted.len() {
                    return found;
                }
            }
        }
    }
    found
}

fn inode_at(folder: &Path) -> Option<u32> {
    inode(fs::read_link(folder.join("ns/net")).ok()?.to_str()?)
}

/// `net:[4026531840]`
fn inode(link: &str) -> Option<u32> {
    link.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_an_inode() {
        assert_eq!(inode("net:[4026531840]"), Some(4_026_531_840));
        for bad in ["mnt:[4026531840]", "net:[]", "net:[4026531840", "net:[99999999999]"] {
            assert_eq!(inode(bad), None, "{bad}");
        }
    }

    #[test]
    fn our_own_namespace_is_among_all() {
        let own = own().unwrap();
        assert!(own.read("snmp").unwrap().contains("\nTcp: "));
        assert!(all().contains_key(&own.inode()));
        assert!(find(&BTreeSet::from([own.inode()])).contains_key(&own.inode()));
    }

    #[test]
    fn a_process_tells_since_when_it_exists() {
        let own = own().unwrap();
        assert!(own.existed_at(boot_time() + Duration::from_millis(TICK_MS)));
        assert!(!own.existed_at(Duration::from_millis(1)));
    }

    #[test]
    fn a_member_of_another_namespace_is_not_read() {
        let stranger = Member { inode: 1, folder: "/proc/self".into() };
        assert_eq!(stranger.read("snmp").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
