//! Which BPF programs and maps the kernel holds, and which of them a process holds.

use std::collections::BTreeSet;
use std::{fs, mem};

/// Ids of programs and maps.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Program ids.
    pub programs: BTreeSet<u32>,
    /// Map ids.
    pub maps: BTreeSet<u32>,
}

impl Loaded {
    /// What the descriptors of a process refer to (links count by their program).
    pub fn by_process(pid: u32) -> Self {
        let mut loaded = Self::default();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("fdinfo").flatten() {
            for line in fs::read_to_string(entry.path()).unwrap_or_default().lines() {
                let id = |name: &str| line.strip_prefix(name).and_then(|value| value.trim().parse::<u32>().ok());
                loaded.programs.extend(id("prog_id:"));
                loaded.maps.extend(id("map_id:"));
            }
        }
        loaded
    }

    /// What is in the kernel now.
    pub fn in_kernel() -> Self {
        const BPF_PROG_GET_NEXT_ID: libc::c_long = 11;
        const BPF_MAP_GET_NEXT_ID: libc::c_long = 12;
        Self { programs: walk(BPF_PROG_GET_NEXT_ID), maps: walk(BPF_MAP_GET_NEXT_ID) }
    }

    /// Whether some of `self` is in `other`.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.programs.is_disjoint(&other.programs) || !self.maps.is_disjoint(&other.maps)
    }
}

fn walk(command: libc::c_long) -> BTreeSet<u32> {
    /// `start_id`, `next_id`, `open_flags` of `union bpf_attr`.
    type Next = [u32; 3];
    let mut ids = BTreeSet::new();
    let mut next: Next = [0; 3];
    loop {
        // SAFETY: the kernel reads and writes the three members.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut next, mem::size_of::<Next>()) };
        if result < 0 {
            return ids;
        }
        ids.insert(next[1]);
        next[0] = next[1];
    }
}
