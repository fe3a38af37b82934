//! Files that were rotated away: named, compressed, and removed when there are too many.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::folder;
use crate::{
    clock,
    diagnose::diagnose,
    options::{Compress, FileSink},
};

/// Suffix of compressed files.
const COMPRESSED: &str = ".zst";

/// Suffix of a file that is being compressed.
const UNFINISHED: &str = ".zst.unfinished";

/// Zstandard's own choice between speed and size.
const LEVEL: i32 = 3;

/// The rotated files of one file.
#[derive(Clone)]
pub(super) struct Rotated {
    path: PathBuf,
    keep: usize,
    max_total: Option<u64>,
    compress: Compress,
}

impl Rotated {
    pub(super) fn of(settings: &FileSink) -> Self {
        Self {
            path: settings.path.clone(),
            keep: settings.keep as usize,
            max_total: settings.max_total.map(|size| size.0),
            compress: settings.compress,
        }
    }

    /// Gives a file the name of a rotated one.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn take(&self, path: &Path) -> Result<()> {
        let files = self.list()?;
        let last = files.last().and_then(|file| file.file_name()?.to_str()?.strip_prefix(&self.prefix()));
        let name = with(path, &format!(".{}", clock::stamp(last.and_then(stamp_of))));
        fs::rename(path, &name).with_context(|| {
            format!("cannot rotate {} to {}: check the folder's permissions", path.display(), name.display())
        })
    }

    /// Compresses what is to be, and removes what is too much. Errors are told: the next rotation tries again.
    pub(super) fn tidy(&self) {
        if let Err(error) = self.try_to_tidy() {
            diagnose(format_args!("sink file:{}: {error:#}", self.path.display()));
        }
    }

    fn try_to_tidy(&self) -> Result<()> {
        // What a killed observer was compressing.
        for path in self.list()?.iter().filter(|path| path.to_string_lossy().ends_with(UNFINISHED)) {
            remove(path)?;
        }
        // Removed first, so that nothing is compressed for nothing.
        self.prune()?;
        if self.compress == Compress::Zstd {
            for path in self.list()?.iter().filter(|path| !path.to_string_lossy().ends_with(COMPRESSED)) {
                compress(path).with_context(|| format!("cannot compress {}", path.display()))?;
            }
        }
        self.prune()
    }

    fn prune(&self) -> Result<()> {
        let mut files = self.list()?;
        let excess = files.len().saturating_sub(self.keep);
        for path in files.drain(..excess) {
            remove(&path)?;
        }
        let Some(limit) = self.max_total else { return Ok(()) };
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut total: u64 = size(&self.path) + files.iter().map(|path| size(path)).sum::<u64>();
        for path in files {
            if total <= limit {
                break;
            }
            total = total.saturating_sub(size(&path));
            remove(&path)?;
        }
        Ok(())
    }

    /// Rotated files, the oldest first: their names tell their age.
    fn list(&self) -> Result<Vec<PathBuf>> {
        let folder = folder(&self.path);
        let prefix = self.prefix();
        let mut found = Vec::new();
        let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_prefix(&prefix).and_then(stamp_of).is_some() {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// What the names of rotated files begin with.
    fn prefix(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned() + "."
    }
}

/// The time in a suffix that we gave: the files of others are not touched.
fn stamp_of(suffix: &str) -> Option<&str> {
    const SHAPE: &[u8] = b"00000000T000000.000Z";
    let stamp = [UNFINISHED, COMPRESSED].iter().find_map(|end| suffix.strip_suffix(end)).unwrap_or(suffix);
    let fits = |(byte, shape): (u8, &u8)| byte == *shape || *shape == b'0' && byte.is_ascii_digit();
    (stamp.len() == SHAPE.len() && stamp.bytes().zip(SHAPE).all(fits)).then_some(stamp)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Replaces a file by its compressed form, which is complete before the other one goes.
fn compress(path: &Path) -> io::Result<()> {
    let unfinished = with(path, UNFINISHED);
    let mut from = fs::File::open(path)?;
    // Modes are not changed any more in the sandbox, but may be given at birth.
    let mode = from.metadata()?.permissions().mode();
    let mut to = fs::File::options().write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
    zstd::stream::copy_encode(&mut from, &mut to, LEVEL)?;
    to.sync_all()?;
    fs::rename(&unfinished, with(path, COMPRESSED))?;
    fs::remove_file(path)
}
