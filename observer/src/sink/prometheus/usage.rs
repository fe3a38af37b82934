//! What the observer itself takes of the machine. The files are opened before the sink is confined, when `/proc` may not
//! be read any more, and are read again for each scrape.

use std::{
    fs::File,
    io::{self, Seek as _},
};

use anyhow::{Context as _, Result};
use procfs::{FromRead as _, process::Stat};
use rustix::fs::{Dir, Mode, OFlags};

/// Open files of `/proc/self`.
pub(super) struct Usage {
    stat: File,
    files: Dir,
    /// When the machine was booted, seconds of Unix time.
    boot: u64,
}

/// The observer at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) start_seconds: f64,
    pub(super) open_files: usize,
}

impl Usage {
    /// Opens them.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub(super) fn open() -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let files = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).context("cannot open /proc/self/fd")?;
        Ok(Self {
            stat: File::open("/proc/self/stat").context("cannot open /proc/self/stat")?,
            files: Dir::new(files).context("cannot read /proc/self/fd")?,
            boot: procfs::boot_time_secs().context("cannot read the time of the boot from /proc/stat")?,
        })
    }

    /// Reads them.
    ///
    /// # Errors
    /// When the kernel gives something else.
    pub(super) fn read(&mut self) -> Result<Figures> {
        self.stat.rewind()?;
        let stat = Stat::from_read(&self.stat).context("cannot read /proc/self/stat")?;
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        Ok(Figures {
            cpu_seconds: seconds(stat.utime + stat.stime),
            resident_bytes: stat.rss * procfs::page_size(),
            start_seconds: self.boot as f64 + seconds(stat.starttime),
            open_files: self.open_files().context("cannot read /proc/self/fd")?,
        })
    }

    fn open_files(&mut self) -> io::Result<usize> {
        self.files.rewind();
        let mut count = 0;
        while let Some(entry) = self.files.read() {
            if entry?.file_name().to_bytes().first().is_some_and(u8::is_ascii_digit) {
                count += 1;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_memory_in_use_are_seen() {
        let mut usage = Usage::open().unwrap();
        let before = usage.read().unwrap();
        // Other tests of this process open and close files, take memory and give it back meanwhile: these are held.
        let opened: Vec<_> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = usage.read().unwrap();
        assert!(after.open_files >= 200, "{before:?} {after:?}");
        assert!(after.resident_bytes >= 64 << 20, "{before:?} {after:?}");
        assert!(after.cpu_seconds >= before.cpu_seconds, "{before:?} {after:?}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(after.start_seconds < now + 1.0 && after.start_seconds > now - 3_600.0, "{after:?}, now {now}");
        drop((opened, memory));
    }
}
