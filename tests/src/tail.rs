//! What a file sink writes, read as it grows, across its rotations.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::event::Event;

/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// A reader of events.
pub struct Tail {
    path: PathBuf,
    file: File,
    /// What was read and not given yet; begins with a line.
    text: Vec<u8>,
    /// How much of it was given.
    given: usize,
}

impl Tail {
    /// From the beginning of the file that is there.
    pub fn of(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.to_owned(), file, text: Vec::new(), given: 0 }
    }

    /// The next event, if it is written as a whole.
    pub fn read_event(&mut self) -> Option<Event> {
        loop {
            if let Some(length) = self.text[self.given..].iter().position(|byte| *byte == b'\n') {
                let line = std::str::from_utf8(&self.text[self.given..self.given + length]).expect("UTF-8");
                let event = Event::parse(line);
                self.given += length + 1;
                return Some(event);
            }
            if self.read() == 0 && !self.follow() {
                return None;
            }
        }
    }

    fn read(&mut self) -> usize {
        self.text.drain(..self.given);
        self.given = 0;
        let before = self.text.len();
        self.text.resize(before + PIECE, 0);
        let count = self.file.read(&mut self.text[before..]).expect("the file of events");
        self.text.truncate(before + count);
        count
    }

    /// Goes on in the next file, if this one was rotated; whether there may be more now.
    fn follow(&mut self) -> bool {
        let Ok(there) = fs::metadata(&self.path) else { return false };
        if there.ino() == self.file.metadata().expect("an open file").ino() {
            return false;
        }
        if self.read() == 0 {
            assert!(self.text.is_empty(), "a rotated file ends with a whole line");
            self.file = File::open(&self.path).expect("the next file");
        }
        true
    }
}

/// Events of the whole lines of a file, if there is one.
pub fn whole(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(Event::parse).collect()
}

/// The last one of them.
pub fn newest(path: &Path) -> Option<Event> {
    let text = fs::read_to_string(path).ok()?;
    text.rsplit_once('\n')?.0.lines().next_back().map(Event::parse)
}

/// Events of a file of whole lines.
#[track_caller]
pub fn all(path: &Path) -> Vec<Event> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends with a part of a line", path.display());
    text.lines().map(Event::parse).collect()
}
