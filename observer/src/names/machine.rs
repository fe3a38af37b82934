//! What a look at the machine tells: the hosts file as a process has it, and this host's own addresses. Only the
//! worker's thread looks: the root of a process may be a file system that never answers.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read as _},
    net::IpAddr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use if_addrs::get_if_addrs;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use super::{ProcessId, hosts::Table};
use crate::procfile;

/// Bytes of a hosts file that are read.
const MOST_BYTES: u64 = 1 << 20;

/// Where kube-proxy keeps the addresses of services (IPVS mode): they are local for the kernel alone.
const SERVICES_INTERFACE: &str = "kube-ipvs0";

/// Whose file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Root {
    /// That of process 1.
    Host,
    /// A process's.
    Process(ProcessId),
}

/// A state of a file: when it changes, so does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileState {
    device: u64,
    inode: u64,
    size: i64,
    changed: (i64, u64),
}

/// The hosts file of a root, and its state; `known` tells of which states the content is not wanted.
///
/// # Errors
/// When the process has ended, or there is no such file.
pub(super) fn hosts(root: Root, mut known: impl FnMut(&FileState) -> bool) -> io::Result<(FileState, Option<Table>)> {
    let folder = match root {
        Root::Host => open_root("/proc/1/root").or_else(|_| open_root("/"))?,
        Root::Process(process) => {
            let folder = open_root(&format!("/proc/{}/root", process.tgid()))?;
            // Once it is open it cannot become a stranger's.
            if !process.is_running() {
                return Err(io::ErrorKind::NotFound.into());
            }
            folder
        }
    };
    // Links lead to places below that root, as they do for the process. Nothing but a file is opened: a device may act.
    let path = OFlags::PATH | OFlags::CLOEXEC;
    let place =
        openat2(&folder, "etc/hosts", path, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?;
    let stat = fstat(&place)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let state = FileState {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size,
        changed: (stat.st_ctime, stat.st_ctime_nsec),
    };
    if known(&state) {
        return Ok((state, None));
    }
    let mut content = Vec::new();
    let file = File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    file.take(MOST_BYTES).read_to_end(&mut content)?;
    Ok((state, Some(Table::parse(&content))))
}

fn open_root(path: &str) -> rustix::io::Result<OwnedFd> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Addresses of the interfaces of our network namespace.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn addresses() -> io::Result<HashSet<IpAddr>> {
    let interfaces = get_if_addrs()?.into_iter().filter(|interface| interface.name != SERVICES_INTERFACE);
    Ok(interfaces.map(|interface| interface.ip()).collect())
}

#[cfg(test)]
impl FileState {
    /// A file that changes with a number.
    pub(super) fn numbered(inode: u64, change: i64) -> Self {
        Self { device: 1, inode, size: 0, changed: (change, 0) }
    }
}

impl ProcessId {
    /// Whether it is the process that has this id now.
    fn is_running(self) -> bool {
        let started = procfile::start_ns(format!("/proc/{}", self.tgid()));
        started.is_some_and(|started| !self.is_certain() || Self::of(self.tgid(), started) == Some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ourselves() -> ProcessId {
        ProcessId::of(std::process::id(), procfile::start_ns("/proc/self").unwrap()).unwrap()
    }

    #[test]
    fn our_hosts_file_is_the_one_that_we_see() {
        let (state, table) = hosts(Root::Process(ourselves()), |_| false).unwrap();
        assert_eq!(table, Some(Table::parse(&std::fs::read("/etc/hosts").unwrap())));
        assert_eq!(hosts(Root::Process(ourselves()), |known| *known == state).unwrap(), (state, None));
    }

    #[test]
    fn a_process_that_had_our_id_is_not_us() {
        let before = ProcessId::of(std::process::id(), 10_000_000).unwrap();
        assert!(hosts(Root::Process(before), |_| false).is_err());
        let unknown = ProcessId::of(std::process::id(), 0).unwrap();
        assert!(hosts(Root::Process(unknown), |_| false).is_ok(), "its start is not known");
    }

    #[test]
    fn loopback_is_among_our_addresses() {
        let addresses = addresses().unwrap();
        assert!(addresses.iter().any(IpAddr::is_loopback), "{addresses:?}");
    }
}
