//! Who holds a socket: every descriptor of every process that it is open in.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use rustix::io::Errno;
use serde::Serialize;

use crate::{procfile, seed};

/// A descriptor of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name of the process (`comm`).
    pub comm: String,
    /// Number of the descriptor.
    pub fd: u32,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By the socket's inode; the youngest process first, which is its owner by the rule of `seed`.
    pub(super) holders: HashMap<u64, Vec<Holder>>,
    /// Processes that did not let us look.
    pub(super) unreadable: u32,
}

/// Looks for sockets of these inodes in every process.
pub(super) fn find(wanted: &HashSet<u64>) -> Found {
    let mut found = Found::default();
    if wanted.is_empty() {
        return found;
    }
    for pid in procfile::ids("/proc").into_iter().rev() {
        let mut held = Vec::new();
        let looked = seed::sockets_of(pid, |inode, fd| {
            if wanted.contains(&inode) {
                held.push((inode, fd));
            }
            true
        });
        match looked {
            // It has ended meanwhile.
            Ok(()) | Err(Errno::NOENT | Errno::SRCH) => {}
            Err(_) => found.unreadable += 1,
        }
        if held.is_empty() {
            continue;
        }
        let Ok(name) = fs::read(format!("/proc/{pid}/comm")) else { continue };
        let comm = procfile::comm_text(&procfile::comm(name.strip_suffix(b"\n").unwrap_or(&name)));
        held.sort_by_key(|(_, fd)| *fd);
        for (inode, fd) in held {
            found.holders.entry(inode).or_default().push(Holder { pid, comm: comm.clone(), fd });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    };

    use super::*;

    #[test]
    fn a_socket_with_two_descriptors_has_two_holders() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let second = listener.try_clone().unwrap();
        let inode = fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap().ino();
        let found = find(&HashSet::from([inode]));
        let mut fds: Vec<_> = found.holders[&inode]
            .iter()
            .filter(|holder| holder.pid == std::process::id())
            .map(|holder| holder.fd.cast_signed())
            .collect();
        fds.sort_unstable();
        let mut expected = [listener.as_raw_fd(), second.as_raw_fd()];
        expected.sort_unstable();
        assert_eq!(fds, expected);
        assert!(found.holders[&inode].iter().all(|holder| !holder.comm.is_empty()));
    }
}
