//! Which process holds which socket: one pass over `/proc/PID/fd`, from the highest process id down, until every socket
//! has been found.

use std::collections::{HashMap, HashSet};

use rustix::{
    fs::{Dir, Mode, OFlags, open, readlinkat},
    io::{self, Errno},
};

use crate::procfile;

/// A search for sockets.
#[derive(Debug)]
pub(crate) struct Search {
    wanted: HashSet<u64>,
    found: Found,
}

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Process id by the socket's inode.
    pub(crate) holders: HashMap<u64, u32>,
    /// Processes that were looked through.
    pub(crate) processes: u32,
    /// Processes that did not let us.
    pub(crate) unreadable: u32,
}

impl Search {
    /// A search for sockets of these inodes.
    pub(crate) fn of(inodes: impl Iterator<Item = u64>) -> Self {
        Self { wanted: inodes.collect(), found: Found::default() }
    }

    /// Searches every process.
    pub(crate) fn run(mut self) -> Found {
        for pid in procfile::ids("/proc").into_iter().rev() {
            if self.wanted.is_empty() {
                break;
            }
            match self.look_through(pid) {
                Ok(()) => self.found.processes += 1,
                // It has ended meanwhile.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(_) => self.found.unreadable += 1,
            }
        }
        self.found
    }

    fn look_through(&mut self, pid: u32) -> io::Result<()> {
        let Self { wanted, found } = self;
        sockets_of(pid, |inode, _| {
            if wanted.remove(&inode) {
                found.holders.insert(inode, pid);
            }
            !wanted.is_empty()
        })
    }
}

/// Tells the inode of every socket that a process holds, and its descriptor; `each` says whether to go on.
///
/// # Errors
/// When the process has ended, or does not let us.
pub(crate) fn sockets_of(pid: u32, mut each: impl FnMut(u64, u32) -> bool) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = Dir::new(open(format!("/proc/{pid}/fd"), flags, Mode::empty())?)?;
    let mut link = Vec::new();
    while let Some(entry) = folder.read() {
        let entry = entry?;
        // A descriptor may be closed meanwhile; `.` and `..` are no links.
        let Ok(text) = readlinkat(folder.fd()?, entry.file_name(), link) else {
            link = Vec::new();
            continue;
        };
        let fd = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        if let (Some(inode), Some(fd)) = (socket_inode(text.to_bytes()), fd)
            && !each(inode, fd)
        {
            break;
        }
        link = text.into_bytes();
    }
    Ok(())
}

/// `socket:[77012]`
fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, os::fd::AsRawFd as _};

    use super::*;

    #[test]
    fn links_name_a_socket() {
        assert_eq!(socket_inode(b"socket:[77012]"), Some(77_012));
        for bad in ["pipe:[77012]", "socket:[]", "socket:[7", "/tmp/socket:[7]"] {
            assert_eq!(socket_inode(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn our_own_socket_is_found_and_nobodys_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let inode = socket_inode(link.to_str().unwrap().as_bytes()).unwrap();
        let found = Search::of([inode, u64::MAX].into_iter()).run();
        assert_eq!(found.holders, HashMap::from([(inode, std::process::id())]));
        assert!(found.processes > 0);
    }

    #[test]
    fn nothing_wanted_is_found_at_once() {
        let found = Search::of(std::iter::empty()).run();
        assert_eq!((found.processes, found.unreadable), (0, 0));
    }
}
