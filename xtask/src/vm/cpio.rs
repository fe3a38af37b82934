//! Writes an initramfs: a cpio archive in the "newc" form that the kernel reads (its
//! Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeSet;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive in the making; parent directories come by themselves, before what lies in them.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    names: BTreeSet<String>,
}

impl Archive {
    /// Adds a directory, and its parents.
    pub(crate) fn directory(&mut self, path: &str) {
        let path = path.trim_matches('/');
        if path.is_empty() || self.names.contains(path) {
            return;
        }
        self.parents(path);
        self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
    }

    /// Adds a file with these permission bits. The first file of a name stays: two programs share their libraries.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        let path = path.trim_matches('/');
        if self.names.contains(path) {
            return;
        }
        self.parents(path);
        self.entry(path, REGULAR | permissions, (0, 0), content);
    }

    /// Adds a character device.
    pub(crate) fn device(&mut self, path: &str, permissions: u32, major: u32, minor: u32) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE | permissions, (major, minor), b"");
    }

    /// The archive's bytes.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
    }

    /// One header of thirteen hexadecimal fields, the name and the content, the latter two padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.names.insert(path.to_owned());
        // Each entry has an inode number of its own: files that share one would be hard links.
        let inode = self.names.len() as u32;
        let (owner, group, links, time) = (0, 0, 1, 0);
        let (device_major, device_minor, checksum) = (0, 0, 0);
        let (size, name_size) = (content.len() as u32, path.len() as u32 + 1);
        self.bytes.extend_from_slice(b"070701");
        for field in [
            inode,
            mode,
            owner,
            group,
            links,
            time,
            size,
            device_major,
            device_minor,
            major,
            minor,
            name_size,
            checksum,
        ] {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (name, mode, size) of each entry up to the trailer.
    fn read(bytes: &[u8]) -> Vec<(String, u32, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let field = |index: usize| {
                let text = std::str::from_utf8(&bytes[at + 6 + 8 * index..at + 14 + 8 * index]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = std::str::from_utf8(&bytes[at + 110..at + 110 + name_size - 1]).unwrap().to_owned();
            at = (at + 110 + name_size).next_multiple_of(4) + size.next_multiple_of(4);
            if name == "TRAILER!!!" {
                assert_eq!(at, bytes.len());
                return found;
            }
            found.push((name, mode as u32, size));
        }
    }

    #[test]
    fn parents_come_first_and_once() {
        let mut archive = Archive::default();
        archive.file("/a/b/c", 0o755, b"12345");
        archive.file("a/b/d", 0o644, b"");
        archive.directory("/a/b");
        archive.device("/dev/null", 0o666, 1, 3);
        let entries = read(&archive.finish());
        let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/b/d", "dev", "dev/null"]);
        assert_eq!(entries[2], ("a/b/c".to_owned(), 0o100_755, 5));
        assert_eq!(entries[5].1, 0o020_666);
    }

    #[test]
    fn the_first_file_of_a_name_stays() {
        let mut archive = Archive::default();
        archive.file("libc.so", 0o755, b"first");
        archive.file("/libc.so", 0o755, b"second one");
        assert_eq!(read(&archive.finish()), [("libc.so".to_owned(), 0o100_755, 5)]);
    }
}
