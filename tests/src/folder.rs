//! A folder of a test's own, which goes with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// An empty folder below the one for temporary files.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one; the name is for people.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("conn-observer-{name}-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it with this text. Whoever reads it meanwhile has the old text or the new one, and never a part.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, unfinished) = (self.0.join(name), self.0.join(format!("{name}.unfinished")));
        fs::write(&unfinished, text).unwrap_or_else(|error| panic!("{}: {error}", unfinished.display()));
        fs::rename(&unfinished, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
