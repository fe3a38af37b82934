//! Committed copies of generated text: written, or compared. In folders of their own, nothing else may lie.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Files that are to be there, by their paths in the repository.
pub(crate) struct Copies {
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, String>,
}

impl Copies {
    /// None yet. In these folders a file that is not added later is a leftover.
    pub(crate) fn of_folders<const N: usize>(folders: [&str; N]) -> Self {
        Self { folders: folders.map(PathBuf::from).into(), files: BTreeMap::new() }
    }

    /// One more file.
    pub(crate) fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        self.files.insert(path.into(), text);
    }

    /// Writes all below `root`, and removes what is left over.
    pub(crate) fn write(&self, root: impl AsRef<Path>) -> Result<()> {
        let root = root.as_ref();
        for path in self.leftovers(root)? {
            fs::remove_file(root.join(&path)).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        for (path, text) in &self.files {
            let path = root.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// The paths below `root` whose content is another one, or that should be there, or should not.
    pub(crate) fn stale(&self, root: impl AsRef<Path>) -> Result<Vec<String>> {
        let root = root.as_ref();
        let differs = |(path, text): &(&PathBuf, &String)| {
            fs::read_to_string(root.join(path)).map_or(true, |committed| committed != **text)
        };
        let different = self.files.iter().filter(differs).map(|(path, _)| path.clone());
        let all = different.chain(self.leftovers(root)?);
        Ok(all.map(|path| path.display().to_string()).collect())
    }

    fn leftovers(&self, root: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let entries = match fs::read_dir(root.join(folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot list {}", folder.display())),
            };
            for entry in entries {
                let name = entry.with_context(|| format!("cannot list {}", folder.display()))?.file_name();
                found.push(folder.join(name));
            }
        }
        found.retain(|path| !self.files.contains_key(path));
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_up_to_date_until_it_changes() {
        let root = std::env::temp_dir().join(format!("conn-observer-copies-{}", std::process::id()));
        let mut copies = Copies::of_folders(["own"]);
        copies.add("shared.md", "a".to_owned());
        copies.add("own/page", "b".to_owned());
        assert_eq!(copies.stale(&root).unwrap(), ["own/page", "shared.md"]);

        copies.write(&root).unwrap();
        assert!(copies.stale(&root).unwrap().is_empty());

        fs::write(root.join("own/page"), "B").unwrap();
        fs::write(root.join("own/leftover"), "").unwrap();
        fs::write(root.join("other.md"), "").unwrap();
        assert_eq!(copies.stale(&root).unwrap(), ["own/page", "own/leftover"]);

        copies.write(&root).unwrap();
        assert!(copies.stale(&root).unwrap().is_empty());
        assert!(root.join("other.md").exists(), "only folders of our own are cleared");
        fs::remove_dir_all(&root).unwrap();
    }
}
