//! The file that is being written.

use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::diagnose::diagnose;

/// Longest piece of the file's end in which the end of its last whole line is looked for at a time.
const PIECE: u64 = 64 << 10;

/// An open file that only we write.
pub(super) struct Current {
    file: fs::File,
    /// Bytes of whole lines.
    size: u64,
    /// A part of a line is behind them, and could not be cut off.
    torn: bool,
    opened: Instant,
    /// How old it was then.
    age: Duration,
}

impl Current {
    /// Opens a file for appending; cuts off a line that is not finished.
    ///
    /// # Errors
    /// When it cannot be written, is no regular file, or somebody else has it locked.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display();
        let mut options = fs::File::options();
        // Not to wait for the other end of a FIFO. Arguments of processes are not for everybody.
        options.create(true).append(true).read(true).mode(0o640).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file =
            options.open(path).with_context(|| format!("cannot write {name}: check the folder and its permissions"))?;
        let metadata = file.metadata().with_context(|| format!("cannot examine {name}"))?;
        if !metadata.is_file() {
            bail!("{name} is not a regular file: use --output for pipes and devices");
        }
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("{name} is locked by another process: each observer needs a file of its own");
        }
        let mut current = Self { size: metadata.len(), torn: false, file, opened: Instant::now(), age: age(&metadata) };
        let cut = current.repair().with_context(|| format!("cannot repair the last line of {name}"))?;
        if cut > 0 {
            diagnose(format_args!("cut an unfinished line of {cut} bytes off {name}"));
        }
        Ok(current)
    }

    /// Bytes in it.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Time since it was made.
    pub(super) fn age(&self) -> Duration {
        self.age.saturating_add(self.opened.elapsed())
    }

    /// Whether this is the file of that name.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (fs::metadata(path), self.file.metadata()) {
            (Ok(there), Ok(here)) => identity(there) == identity(here),
            _ => false,
        }
    }

    /// Writes lines, all or as many as fit. `whole` says how many of so many bytes are whole lines.
    ///
    /// # Errors
    /// How many bytes of whole lines are written, and what stopped it.
    pub(super) fn append(&mut self, text: &[u8], whole: impl Fn(usize) -> usize) -> Result<(), (usize, io::Error)> {
        self.mend().map_err(|error| (0, error))?;
        let mut written = 0;
        while written < text.len() {
            match self.file.write(&text[written..]) {
                Ok(0) => return Err(self.undo(whole(written), io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.undo(whole(written), error)),
            }
        }
        self.size += text.len() as u64;
        Ok(())
    }

    /// Keeps so much of what was written.
    fn undo(&mut self, keep: usize, error: io::Error) -> (usize, io::Error) {
        self.size += keep as u64;
        match self.cut() {
            Ok(()) => (keep, error),
            Err(worse) => (keep, worse),
        }
    }

    /// Cuts off what could not be before: nothing may be written behind it.
    ///
    /// # Errors
    /// When it still cannot be.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.torn { self.cut() } else { Ok(()) }
    }

    /// Cuts off what is no whole line.
    fn cut(&mut self) -> io::Result<()> {
        // A disk that is full may not even be able to do that.
        self.torn = true;
        self.file.set_len(self.size)?;
        self.torn = false;
        Ok(())
    }

    /// Forces it onto the disk.
    ///
    /// # Errors
    /// When the disk cannot.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_data().context("cannot write the file to the disk")
    }

    /// Cuts off bytes behind the last line feed; how many.
    fn repair(&mut self) -> io::Result<u64> {
        let mut end = self.size;
        let mut piece = Vec::new();
        while end > 0 {
            let begin = end.saturating_sub(PIECE);
            piece.clear();
            self.file.seek(SeekFrom::Start(begin))?;
            (&self.file).take(end - begin).read_to_end(&mut piece)?;
            if let Some(position) = piece.iter().rposition(|byte| *byte == b'\n') {
                end = begin + position as u64 + 1;
                break;
            }
            end = begin;
        }
        let cut = self.size - end;
        if cut > 0 {
            self.file.set_len(end)?;
            self.size = end;
        }
        Ok(cut)
    }
}

/// Time since a file was made, or, where its file system does not tell, last changed.
fn age(metadata: &fs::Metadata) -> Duration {
    let made = metadata.created().or_else(|_| metadata.modified()).ok();
    made.and_then(|made| SystemTime::now().duration_since(made).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;

    #[test]
    fn nothing_is_written_behind_a_piece_that_cannot_be_cut_off() {
        let file = memfd_create("torn", MemfdFlags::ALLOW_SEALING).unwrap();
        fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        let mut file = Current { file: file.into(), size: 0, torn: false, opened: Instant::now(), age: Duration::ZERO };
        file.append(b"whole\n", |_| 0).unwrap();
        file.file.write_all(b"half").unwrap();
        file.undo(0, io::ErrorKind::StorageFull.into());
        file.append(b"next\n", |_| 0).unwrap_err();
        assert_eq!((file.size, file.file.metadata().unwrap().len()), (6, 10), "as it was left");
    }
}
