//! What tests of many modules begin with: a fleet's events, and a folder of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::event::Event;

/// Three hosts on two days, a line an event: the same file that the live tests have.
pub(crate) const FLEET: &str = include_str!("../../tests/peers/events/fleet.ndjson");

/// Its events.
pub(crate) fn fleet() -> Vec<Event> {
    FLEET.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder that goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one; the name is for people.
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("conn-observer-unit-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Names of what is in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
