//! A fault made on purpose in a running observer: one act is taken out of its totals, as if a hook had missed it.

use std::io::{self, Error};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::loaded::Loaded;

/// Cause code of `close_unread`.
const CLOSE_UNREAD: u32 = 1;

/// Takes one act with its RST out of the totals that the observer with this process id keeps of `close_unread` in a
/// namespace.
pub fn forget_unread_close(observer: u32, namespace: u64) {
    let totals = Loaded::by_process(observer).maps.into_iter().find_map(totals).expect("a map of totals");
    let key = [u32::try_from(namespace).expect("an inode"), CLOSE_UNREAD];
    let mut cpus = totals.lookup(&key).expect("a total");
    let row = cpus.chunks_exact_mut(totals.words).find(|row| row[0] > 0 && row[1] > 0).expect("an act");
    row[0] -= 1;
    row[1] -= 1;
    totals.update(&key, &cpus).expect("the totals can be written");
}

/// The map of totals: a value for each CPU, of which `acts` and `resets` come first.
struct Totals {
    fd: OwnedFd,
    /// Length of one CPU's value.
    words: usize,
}

/// The map of that id, if it is called so.
fn totals(id: u32) -> Option<Totals> {
    const BPF_MAP_GET_FD_BY_ID: libc::c_long = 14;
    const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
    /// The first members of `struct bpf_map_info` (include/uapi/linux/bpf.h).
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
        name: [u8; 16],
    }
    #[repr(C)]
    struct GetInfo {
        fd: u32,
        length: u32,
        info: u64,
    }
    let mut by_id = [id, 0, 0];
    let fd = bpf(BPF_MAP_GET_FD_BY_ID, &mut by_id).ok()?;
    // SAFETY: just opened, owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = Info::default();
    let length = mem::size_of::<Info>().try_into().ok()?;
    let mut get = GetInfo { fd: fd.as_raw_fd().cast_unsigned(), length, info: (&raw mut info) as u64 };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut get).ok()?;
    let words = info.value_size as usize / 8;
    info.name.starts_with(b"TOTALS\0").then_some(Totals { fd, words })
}

/// `map_fd`, `key`, `value`, `flags` of `union bpf_attr`.
#[repr(C)]
struct Element {
    fd: u64,
    key: u64,
    value: u64,
    flags: u64,
}

impl Totals {
    fn lookup(&self, key: &[u32; 2]) -> io::Result<Vec<u64>> {
        const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
        let mut values = vec![0; self.words * possible_cpus()];
        self.element(BPF_MAP_LOOKUP_ELEM, key, values.as_mut_ptr() as u64)?;
        Ok(values)
    }

    fn update(&self, key: &[u32; 2], values: &[u64]) -> io::Result<()> {
        const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
        self.element(BPF_MAP_UPDATE_ELEM, key, values.as_ptr() as u64)
    }

    fn element(&self, command: libc::c_long, key: &[u32; 2], value: u64) -> io::Result<()> {
        let fd = u64::try_from(self.fd.as_raw_fd()).expect("a descriptor");
        bpf(command, &mut Element { fd, key: key.as_ptr() as u64, value, flags: 0 }).map(drop)
    }
}

/// CPUs for which the kernel keeps values: the last number of `0-3`.
fn possible_cpus() -> usize {
    let range = std::fs::read_to_string("/sys/devices/system/cpu/possible").expect("the CPUs");
    let last = range.trim().rsplit(['-', ',']).next().expect("a number");
    last.parse::<usize>().expect("a number") + 1
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes the members that the command has, and what they point to: all alive.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, mem::size_of::<T>()) };
    if result < 0 { Err(Error::last_os_error()) } else { Ok(i32::try_from(result).expect("a descriptor or 0")) }
}
