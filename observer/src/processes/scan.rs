//! Processes as `/proc` shows them. The library opens a process's folder once and reads below it, so that a process
//! whose id is given away meanwhile is not mixed up with the next one.

use procfs::process::{self, Process as Folder};

use super::{Entry, FileId, Image, Key, arguments::Arguments, image};
use crate::procfile::TICK_NS;

/// A process that was found.
pub(super) struct Found {
    pub(super) pid: u32,
    /// ns of CLOCK_BOOTTIME, to a clock tick.
    pub(super) start_ns: u64,
    parent: Option<Key>,
    comm: String,
    terminal: bool,
    image: Option<Image>,
}

impl Found {
    /// As an entry of the cache. Its program may have run since the start, or since an `execve()` that nobody saw.
    pub(super) fn entry(self) -> Entry {
        Entry {
            comm: self.comm,
            parent: self.parent,
            terminal: Some(self.terminal),
            images: self.image.map(|image| (self.start_ns, image.into())).into_iter().collect(),
            ended: false,
        }
    }
}

/// Every process, parents before their children, and each child with the parent it has now.
pub(super) fn all() -> Vec<Found> {
    let mut found: Vec<Found> = match process::all_processes() {
        Ok(all) => all.flatten().filter_map(|folder| read(&folder)).collect(),
        Err(_) => Vec::new(),
    };
    let starts: std::collections::HashMap<u32, u64> = found.iter().map(|one| (one.pid, one.start_ns)).collect();
    for one in &mut found {
        let parent = one.parent.map_or(0, |parent| parent.pid);
        one.parent = starts.get(&parent).map(|start_ns| Key::of(parent, *start_ns));
    }
    found
}

/// One process, if it is there.
pub(super) fn one(pid: u32) -> Option<Found> {
    let mut found = read(&Folder::new(i32::try_from(pid).ok()?).ok()?)?;
    let parent = found.parent.map_or(0, |parent| parent.pid);
    let start = crate::procfile::start_ns(format!("/proc/{parent}"));
    found.parent = start.map(|start_ns| Key::of(parent, start_ns));
    Some(found)
}

/// The parent's start is not known yet.
fn read(folder: &Folder) -> Option<Found> {
    let stat = folder.stat().ok()?;
    let pid = u32::try_from(stat.pid).ok()?;
    let parent = u32::try_from(stat.ppid).ok().filter(|parent| *parent != 0);
    // Kernel threads have no program.
    let image = image::executable_of(pid).map(|executable| {
        let text = stat.startcode.min(stat.endcode)..stat.endcode;
        let text = (text.start > 1 && !text.is_empty()).then_some((text.start, text.end));
        let file: Option<FileId> = image::file_of(pid);
        Image::shown(Some(executable), file, text, Arguments::of_process(pid))
    });
    Some(Found {
        pid,
        start_ns: stat.starttime.saturating_mul(TICK_NS),
        parent: parent.map(|pid| Key { pid, ticks: 0 }),
        comm: stat.comm,
        terminal: stat.tty_nr != 0,
        image,
    })
}
