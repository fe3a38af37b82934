//! Files of `/proc` that hold one `Name: value` a line: `status`, `fdinfo`.

use std::{fs, path::Path};

/// The value of a field; None when the file cannot be read or has no such field.
#[must_use]
pub fn field(path: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
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
}
