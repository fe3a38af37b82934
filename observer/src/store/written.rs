//! Whether somebody writes a store.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use super::recorder::lock_of;

/// Whether somebody writes this file now, on this host. Nothing is locked to find out: that would be in the way of a
/// recorder that begins just then.
#[must_use]
pub fn is_written(path: &Path) -> bool {
    let Ok(lock) = fs::metadata(lock_of(path)) else { return false };
    let Ok(locks) = fs::read_to_string("/proc/locks") else { return false };
    locks.lines().any(|line| is_lock_of(line, lock.ino()))
}

/// `1: FLOCK  ADVISORY  WRITE 4242 fe:01:77012 0 EOF`: of whom, and of which device and file. The device is not compared:
/// some file systems tell stat(2) another one.
fn is_lock_of(line: &str, inode: u64) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(4);
    words.next().and_then(|file| file.rsplit_once(':')?.1.parse().ok()) == Some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::Folder,
        store::{Limits, Recorder},
    };

    #[test]
    fn a_store_is_written_as_long_as_its_recorder_lives() {
        let folder = Folder::new("written");
        let path = folder.join("events.db");
        assert!(!is_written(&path), "there is none");
        let recorder = Recorder::open(&path, Limits::default()).unwrap();
        assert!(is_written(&path));
        drop(recorder);
        assert!(!is_written(&path));
    }

    #[test]
    fn a_line_names_a_file() {
        let line = "1: FLOCK  ADVISORY  WRITE 4242 fe:01:77012 0 EOF";
        assert!(is_lock_of(line, 77_012));
        assert!(!is_lock_of(line, 77_013));
        for other in
            ["", "1: FLOCK", "1: -> FLOCK ADVISORY WRITE 1 fe", "1: POSIX ADVISORY WRITE 4242 fe:01:77012 0 EOF"]
        {
            assert!(!is_lock_of(other, 77_012), "{other}");
        }
    }
}
