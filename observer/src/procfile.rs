//! What `/proc` shows of processes: ids, names, `stat`, and files that hold one `Name: value` a line (`status`, `fdinfo`).

use std::{fs, path::Path};

use observer_ebpf::COMM_LEN;

/// The value of a field; None when the file cannot be read or has no such field.
#[must_use]
pub fn field(path: impl AsRef<Path>, name: &str) -> Option<String> {
    field_of(&fs::read_to_string(path).ok()?, name)
}

/// The value of a field of such a text.
pub(crate) fn field_of(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// A field of `/proc/PID/stat` as a number, counted from 1 as in proc(5), from the state (3) on; None when the process
/// has ended meanwhile.
#[must_use]
pub fn stat(folder: impl AsRef<Path>, field: usize) -> Option<u64> {
    stat_of(&fs::read_to_string(folder.as_ref().join("stat")).ok()?, field)
}

/// A field of such a text.
pub(crate) fn stat_of(text: &str, field: usize) -> Option<u64> {
    // The name, field 2, stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
}

/// Nanoseconds in a clock tick, the unit of times in `/proc/PID/stat` (USER_HZ is 100 wherever Linux runs).
pub const TICK_NS: u64 = 10_000_000;

/// When a process started, ns of CLOCK_BOOTTIME, to a clock tick; None when it has ended.
#[must_use]
pub fn start_ns(folder: impl AsRef<Path>) -> Option<u64> {
    stat(folder, 22).map(|ticks| ticks.saturating_mul(TICK_NS))
}

/// The name of a process or thread as the kernel keeps it: at most 15 bytes, NUL-padded.
#[must_use]
pub fn comm(name: &[u8]) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    for (slot, byte) in comm.iter_mut().take(COMM_LEN - 1).zip(name) {
        *slot = *byte;
    }
    comm
}

/// A name as the kernel keeps it, up to its first NUL.
#[must_use]
pub fn comm_text(bytes: &[u8]) -> String {
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

/// Ids of the entries of a folder that is named after processes or threads, the lowest first; empty when it cannot be
/// read.
#[must_use]
pub fn ids(folder: impl AsRef<Path>) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut ids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        assert_eq!(field("/proc/self/status", "Tgid"), Some(std::process::id().to_string()));
        assert_eq!(field("/proc/self/status", "Tgi"), None);
        assert_eq!(field("/proc/self/no-such-file", "Tgid"), None);
    }

    #[test]
    fn fields_of_stat_are_counted_as_in_its_manual_page() {
        assert_eq!(stat("/proc/self", 4), Some(u64::from(std::os::unix::process::parent_id())));
        assert_eq!(stat("/proc/self", 2), None, "the name is no number");
        assert_eq!(stat("/proc/self/no-such-folder", 4), None);
    }

    #[test]
    fn processes_are_listed_and_nothing_else() {
        assert!(ids("/proc").contains(&std::process::id()));
        assert!(ids("/proc/self/no-such-folder").is_empty());
    }
}
