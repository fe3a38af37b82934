//! A file of whole lines that is rotated by size and age. Whatever happens, it holds no part of a line but while one is
//! being written: a write that fails is undone to the last whole line, a line that a killed observer has left unfinished
//! is cut off when the file is opened again.

mod current;
mod rotated;

use std::{
    path::Path,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use self::{current::Current, rotated::Rotated};
use super::{Sink, Undelivered};
use crate::{
    delivery::Delivery,
    diagnose::diagnose,
    options::{FileSink, Fsync},
};

/// How long a rotation that failed is left alone; lines are appended meanwhile.
const ROTATION_PAUSE: Duration = Duration::from_secs(30);

/// How often it is looked up whether somebody has moved the file away.
const LOOK: Duration = Duration::from_secs(1);

/// The sink.
pub(super) struct File {
    settings: FileSink,
    current: Current,
    rotated: Rotated,
    /// Compresses and removes rotated files.
    tidying: Option<JoinHandle<()>>,
    /// That thread may not have seen the last rotations.
    untidy: bool,
    no_rotation_before: Option<Instant>,
    looked: Instant,
}

impl File {
    /// Opens the file for appending and makes it where it is missing.
    ///
    /// # Errors
    /// When it cannot be written, is no regular file, or somebody else writes it.
    pub(super) fn open(settings: &FileSink) -> Result<Self> {
        let current = Current::open(&settings.path)?;
        Ok(Self {
            current,
            rotated: Rotated::of(settings),
            settings: settings.clone(),
            tidying: None,
            untidy: false,
            no_rotation_before: None,
            looked: Instant::now(),
        })
    }

    /// Lines that fit before the next rotation. A line that is longer than a file may be goes alone.
    fn fitting(&self, delivery: &Delivery, from: usize) -> usize {
        let room = self.settings.max_size.0.saturating_sub(self.current.size());
        let fitting = delivery.json().fitting(from, usize::try_from(room).unwrap_or(usize::MAX));
        if fitting == 0 && self.current.size() == 0 { 1 } else { fitting }
    }

    fn is_old(&self) -> bool {
        self.current.size() > 0 && self.settings.max_age.is_some_and(|limit| self.current.age() >= limit.0)
    }

    /// Moves the file away and begins a new one. When that fails, the old one goes on.
    ///
    /// Whether there is a new one.
    fn rotate(&mut self) -> bool {
        if self.no_rotation_before.is_some_and(|time| Instant::now() < time) {
            return false;
        }
        match self.replace() {
            Ok(()) => {
                self.no_rotation_before = None;
                self.tidy();
                true
            }
            Err(error) => {
                self.no_rotation_before = Some(Instant::now() + ROTATION_PAUSE);
                diagnose(format_args!(
                    "sink file:{}: {error:#}; goes on in the old file",
                    self.settings.path.display()
                ));
                false
            }
        }
    }

    fn replace(&mut self) -> Result<()> {
        self.current.mend().context("cannot cut off an unfinished line")?;
        if self.settings.fsync != Fsync::Never {
            self.current.sync()?;
        }
        self.rotated.take(&self.settings.path)?;
        self.current = Current::open(&self.settings.path)?;
        if self.settings.fsync != Fsync::Never {
            sync_folder(&self.settings.path)?;
        }
        Ok(())
    }

    /// Compresses and removes rotated files on a thread of its own, one at a time: what it does not see the next one does,
    /// after the next rotation or when there is time.
    fn tidy(&mut self) {
        self.untidy = self.tidying.as_ref().is_some_and(|thread| !thread.is_finished());
        if self.untidy {
            return;
        }
        let rotated = self.rotated.clone();
        // Without a thread the next rotation tries again.
        self.tidying = std::thread::Builder::new().name("tidy".to_owned()).spawn(move || rotated.tidy()).ok();
    }

    /// Follows a file that was moved away or removed by somebody else. As long as that fails nothing is written: nobody
    /// may ever see it where the file is now.
    fn follow(&mut self) -> Result<()> {
        if !self.current.is_at(&self.settings.path) {
            self.current = Current::open(&self.settings.path)?;
        }
        self.looked = Instant::now();
        Ok(())
    }
}

impl Sink for File {
    fn begin(&mut self) {
        self.tidy();
    }

    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        if self.looked.elapsed() >= LOOK {
            self.follow().map_err(|error| Undelivered::at(from, error))?;
        }
        let lines = delivery.json();
        let all = delivery.events().len();
        let mut from = from;
        while from < all {
            if self.is_old() {
                self.rotate();
            }
            let mut count = self.fitting(delivery, from);
            if count == 0 {
                if self.rotate() {
                    continue;
                }
                count = all - from;
            }
            let end = lines.begin(from + count);
            let text = &lines.from(from)[..end - lines.begin(from)];
            if let Err((written, error)) = self.current.append(text, |bytes| {
                let whole = lines.fitting(from, bytes);
                lines.begin(from + whole) - lines.begin(from)
            }) {
                let error = anyhow::Error::new(error).context(format!("cannot write {}", self.settings.path.display()));
                return Err(Undelivered::at(from + lines.fitting(from, written), error));
            }
            from += count;
        }
        if self.settings.fsync == Fsync::Batch {
            self.current.sync().map_err(|error| Undelivered::at(all, error))?;
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<()> {
        self.follow()?;
        if self.is_old() {
            self.rotate();
        }
        if self.untidy {
            self.tidy();
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.follow()
    }

    fn finish(&mut self) -> Result<()> {
        if self.settings.fsync != Fsync::Never {
            self.current.sync()?;
        }
        if let Some(thread) = self.tidying.take() {
            // It tells its own errors.
            let _ = thread.join();
        }
        Ok(())
    }
}

/// Makes a new name durable.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = folder(path);
    let sync = || std::fs::File::open(folder)?.sync_all();
    sync().with_context(|| format!("cannot write folder {} to the disk", folder.display()))
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
