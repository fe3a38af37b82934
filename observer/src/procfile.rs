//! What `/proc` shows of processes: their ids, and files that hold one `Name: value` a line (`status`, `fdinfo`).

use std::{fs, path::Path};

/// The value of a field; None when the file cannot be read or has no such field.
#[must_use]
pub fn field(path: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
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
    fn processes_are_listed_and_nothing_else() {
        assert!(ids("/proc").contains(&std::process::id()));
        assert!(ids("/proc/self/no-such-folder").is_empty());
    }
}
