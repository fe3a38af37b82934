//! What is told of a process that owns a socket, in the words of the kernel side.

use std::fs;

use observer_ebpf::COMM_LEN;

use crate::{cgroup, procfile};

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) comm: [u8; COMM_LEN],
    pub(crate) cgroup_id: u64,
    /// To ten milliseconds.
    pub(crate) start_ns: u64,
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
        let start_ns = procfile::start_ns(format!("/proc/{pid}"))?;
        Some(Self { uid, comm: comm(&name), cgroup_id: cgroup_id(&cgroups), start_ns })
    }
}

/// A name and its line end, as the kernel keeps it: NUL-padded.
fn comm(line: &[u8]) -> [u8; COMM_LEN] {
    procfile::comm(line.strip_suffix(b"\n").unwrap_or(line))
}

/// Id of the control group in `0::/path`, the line of the unified hierarchy: the inode of its directory. 0 when unknown.
fn cgroup_id(cgroups: &str) -> u64 {
    cgroups.lines().find_map(|line| line.strip_prefix("0::")).and_then(cgroup::id_of).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
