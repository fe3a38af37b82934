//! Writes tar archives whose bytes depend on their content alone: sorted, owned by root, all of one time.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Permission bits.
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: u32,
    /// Bytes of a file; none for a directory.
    pub(crate) content: Option<Vec<u8>>,
}

/// Paths, relative and without a slash at either end, in the order in which they are written: a directory comes before
/// what lies in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Adds a file of root's, and the directories that lead to it.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.parents(path);
        self.0.insert(path.to_owned(), Entry { mode, owner: 0, content: Some(content) });
    }

    /// Adds a directory, and those that lead to it.
    pub(crate) fn directory(&mut self, path: &str, mode: u32, owner: u32) {
        self.parents(path);
        self.0.insert(path.to_owned(), Entry { mode, owner, content: None });
    }

    fn parents(&mut self, path: &str) {
        for (slash, _) in path.match_indices('/') {
            let parent = Entry { mode: 0o755, owner: 0, content: None };
            self.0.entry(path[..slash].to_owned()).or_insert(parent);
        }
    }

    /// The archive, every entry dated `epoch` (seconds since 1970).
    pub(crate) fn to_tar(&self, epoch: u64) -> Result<Vec<u8>> {
        let mut builder = Builder::new(Vec::new());
        for (path, entry) in &self.0 {
            let mut header = Header::new_ustar();
            let content = entry.content.as_deref().unwrap_or_default();
            header.set_mode(entry.mode);
            header.set_uid(entry.owner.into());
            header.set_gid(entry.owner.into());
            header.set_mtime(epoch);
            header.set_size(content.len() as u64);
            let directory = entry.content.is_none();
            header.set_entry_type(if directory { EntryType::Directory } else { EntryType::Regular });
            let name = if directory { format!("{path}/") } else { path.clone() };
            builder.append_data(&mut header, &name, content).with_context(|| format!("cannot archive {path}"))?;
        }
        builder.into_inner().context("cannot end an archive")
    }
}

/// Compresses as `gzip -9n` does: neither name nor time.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).context("cannot compress")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Tree {
        let mut tree = Tree::default();
        tree.file("usr/bin/x", 0o755, b"program".to_vec());
        tree.directory("var/log/x", 0o750, 7);
        tree.file("etc/passwd", 0o644, Vec::new());
        tree
    }

    #[test]
    fn the_same_content_gives_the_same_bytes_in_whatever_order_it_came() {
        let mut other = Tree::default();
        other.file("etc/passwd", 0o644, Vec::new());
        other.directory("var/log/x", 0o750, 7);
        other.file("usr/bin/x", 0o755, b"program".to_vec());
        let bytes = |tree: &Tree| gzip(&tree.to_tar(1_700_000_000).unwrap()).unwrap();
        assert_eq!(bytes(&example()), bytes(&other));
        assert_ne!(example().to_tar(1).unwrap(), example().to_tar(2).unwrap());
    }

    #[test]
    fn an_archive_holds_every_parent_before_its_children() {
        let bytes = gzip(&example().to_tar(5).unwrap()).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 5);
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            (path, header.mode().unwrap(), header.uid().unwrap())
        });
        let expected = [
            ("etc/", 0o755, 0),
            ("etc/passwd", 0o644, 0),
            ("usr/", 0o755, 0),
            ("usr/bin/", 0o755, 0),
            ("usr/bin/x", 0o755, 0),
            ("var/", 0o755, 0),
            ("var/log/", 0o755, 0),
            ("var/log/x/", 0o750, 7),
        ];
        let expected = expected.map(|(path, mode, owner)| (path.to_owned(), mode, owner));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }
}
