//! Processes by id and start time, living and gone: filled from `/proc` at the start, then kept by what the kernel side
//! tells of forks, executed programs and ends. A finding is told in full although its process has ended meanwhile.

mod arguments;
mod image;
mod life;
mod scan;
mod users;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use observer_ebpf::Step;

pub use arguments::Redaction;
pub use image::{FileId, Image};
pub use life::{Life, lives};
use users::Users;

use crate::{
    event::{Ancestor, Process},
    procfile::TICK_NS,
};

/// Most ancestors that an event names.
const ANCESTORS: usize = 5;

/// Programs that are remembered of one process: a finding may be older than the last `execve()`.
const IMAGES: usize = 4;

/// Living processes that are remembered. Beyond it, new ones are looked up in `/proc` when a finding names them.
const LIVING: usize = 65_536;

/// Names a process for good: ids are given away again. Times are compared in clock ticks, as `/proc` tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    pid: u32,
    ticks: u64,
}

impl Key {
    fn of(pid: u32, start_ns: u64) -> Self {
        Self { pid, ticks: start_ns / TICK_NS }
    }
}

/// What is known of a process.
#[derive(Debug, Default)]
struct Entry {
    comm: String,
    parent: Option<Key>,
    terminal: Option<bool>,
    /// Programs with the time from which on they ran, ns of CLOCK_BOOTTIME, the oldest first.
    images: Vec<(u64, Arc<Image>)>,
    ended: bool,
}

impl Entry {
    /// The program at a time.
    fn image(&self, time_ns: u64) -> Option<&Arc<Image>> {
        let older = self.images.iter().rev().find(|(since, _)| *since <= time_ns);
        older.or(self.images.first()).map(|(_, image)| image)
    }
}

/// What the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Processes of findings that it knew.
    pub hits: u64,
    /// Processes of findings that had to be looked up in `/proc`.
    pub misses: u64,
    /// Of those, the ones that had ended: nothing more is known of them.
    pub unknown: u64,
    /// Lives that could not be decoded; anything but 0 is a fault of ours.
    pub malformed: u64,
}

/// The cache.
#[derive(Debug)]
pub struct Processes {
    entries: HashMap<Key, Entry>,
    /// The newest process of each id.
    newest: HashMap<u32, Key>,
    /// Processes that have ended, the oldest first.
    gone: VecDeque<Key>,
    /// How many of them are kept.
    keep: usize,
    redaction: Redaction,
    users: Users,
    /// What it did so far.
    pub lookups: Lookups,
}

impl Processes {
    /// An empty cache that remembers so many processes after their end.
    #[must_use]
    pub fn new(keep: usize, redaction: Redaction) -> Self {
        Self {
            entries: HashMap::new(),
            newest: HashMap::new(),
            gone: VecDeque::new(),
            keep,
            redaction,
            users: Users::default(),
            lookups: Lookups::default(),
        }
    }

    /// Takes in every process that `/proc` shows. What the kernel side has told already is newer.
    pub fn scan(&mut self) {
        for found in scan::all() {
            let key = Key::of(found.pid, found.start_ns);
            if !self.entries.contains_key(&key) && self.has_room() {
                self.insert(key, found.entry());
            }
        }
    }

    /// One step of a process's life.
    pub fn live(&mut self, life: Life) {
        let key = Key::of(life.pid, life.start_ns);
        match life.step {
            Step::FORK => self.fork(key, &life),
            Step::EXEC => self.exec(key, life),
            Step::END => self.end(key),
            _ => self.lookups.malformed += 1,
        }
    }

    fn fork(&mut self, key: Key, life: &Life) {
        let parent = Key::of(life.parent, life.parent_start_ns);
        let mut entry = Entry { comm: life.comm.clone(), parent: Some(parent), ..Entry::default() };
        if let Some(parent) = self.entries.get_mut(&parent) {
            parent.comm.clone_from(&life.comm);
            entry.terminal = parent.terminal;
            entry.images =
                parent.image(life.time_ns).map(|image| (life.time_ns, Arc::clone(image))).into_iter().collect();
        }
        // A step may be told twice: once from /proc, once from the kernel side. The kernel knows the parent at birth.
        if let Some(known) = self.entries.get_mut(&key) {
            known.parent = entry.parent;
        } else if self.has_room() {
            self.insert(key, entry);
        }
    }

    fn exec(&mut self, key: Key, life: Life) {
        if !self.entries.contains_key(&key) {
            if !self.has_room() {
                return;
            }
            self.insert(key, Entry::default());
        }
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.images.len() == IMAGES {
            entry.images.remove(0);
        }
        entry.comm.clone_from(&life.comm);
        entry.terminal = Some(life.terminal);
        let since = life.time_ns;
        entry.images.push((since, Arc::new(Image::executed(life))));
        // What `/proc` told was read later than it claims.
        entry.images.sort_by_key(|(since, _)| *since);
    }

    fn end(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if std::mem::replace(&mut entry.ended, true) {
            return;
        }
        self.gone.push_back(key);
        while self.gone.len() > self.keep
            && let Some(oldest) = self.gone.pop_front()
        {
            self.entries.remove(&oldest);
            if self.newest.get(&oldest.pid) == Some(&oldest) {
                self.newest.remove(&oldest.pid);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.entries.len() - self.gone.len() < LIVING
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        self.newest.insert(key.pid, key);
        self.entries.insert(key, entry);
    }

    /// The process of an event, looked up in `/proc` if need be.
    fn find(&mut self, process: &Process) -> Option<Key> {
        let known = match process.start_ns {
            0 => self.newest.get(&process.pid).copied(),
            start_ns => Some(Key::of(process.pid, start_ns)).filter(|key| self.entries.contains_key(key)),
        };
        if known.is_some() {
            self.lookups.hits += 1;
            return known;
        }
        self.lookups.misses += 1;
        let found = scan::one(process.pid)
            .filter(|found| process.start_ns == 0 || found.start_ns / TICK_NS == process.start_ns / TICK_NS);
        let Some(found) = found.filter(|_| self.has_room()) else {
            self.lookups.unknown += 1;
            return None;
        };
        let key = Key::of(found.pid, found.start_ns);
        self.insert(key, found.entry());
        Some(key)
    }

    /// Tells what is known of the process of a finding of that time (ns of CLOCK_BOOTTIME), and gives the program. It may
    /// have been told before: where that still holds, nothing is made anew, and who else has it keeps it as it is.
    pub fn describe(&mut self, process: &mut Arc<Process>, time_ns: u64) -> Option<Arc<Image>> {
        let user = self.users.name(process.user.id);
        let key = self.find(process);
        let known = key.and_then(|key| Some((key, self.entries.get(&key)?)));
        let image = known.and_then(|(_, entry)| entry.image(time_ns));
        let interactive = known.and_then(|(_, entry)| entry.terminal);
        let program = known.zip(image).map(|((key, entry), image)| {
            let is_newest = entry.images.last().is_some_and(|(_, newest)| Arc::ptr_eq(newest, image));
            let executable = image.executable(key.pid, key.ticks, entry.parent.map(|parent| parent.pid));
            (executable, image.told(self.redaction, key.pid, key.ticks, is_newest))
        });
        let executable = program.and_then(|(executable, _)| executable);
        let (arguments, args_truncated) = program.map(|(_, (list, cut))| (Some(list), cut)).unwrap_or_default();
        let same_arguments = match arguments {
            Some(list) => Arc::ptr_eq(list, &process.command_args),
            None => process.command_args.is_empty(),
        };
        let same = same_arguments
            && process.args_truncated == args_truncated
            && process.user.name == user
            && process.interactive == interactive
            && process.executable.as_ref() == executable
            && process.parents.iter().map(|one| (one.pid, &*one.comm)).eq(self.ancestors(key));
        if !same {
            let process = Arc::make_mut(process);
            process.user.name = user;
            process.parents = self.ancestors(key).map(|(pid, comm)| Ancestor { pid, comm: comm.to_owned() }).collect();
            process.interactive = interactive;
            process.executable = executable.cloned();
            process.command_args = arguments.cloned().unwrap_or_default();
            process.args_truncated = args_truncated;
        }
        image.cloned()
    }

    /// The parent, its parent and so on, with their names: those at birth, whoever adopted the process later.
    fn ancestors(&self, key: Option<Key>) -> impl Iterator<Item = (u32, &str)> {
        let mut next = key.and_then(|key| self.entries.get(&key)?.parent);
        std::iter::from_fn(move || {
            let key = next?;
            let entry = self.entries.get(&key)?;
            next = entry.parent;
            Some((key.pid, &*entry.comm))
        })
        .take(ANCESTORS)
    }

    /// Processes that are remembered: living, gone.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.entries.len() - self.gone.len(), self.gone.len())
    }
}

#[cfg(test)]
mod tests;
