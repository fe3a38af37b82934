//! What is known: of files the calls at offsets that somebody has asked for, of processes where their code lies, of the
//! kernel the functions at addresses. Bounded by a budget in bytes; what was not used for longest goes first.

use std::{collections::HashMap, sync::Arc};

use super::{
    call::Call,
    image::{Depth, Image},
    kallsyms::Symbol,
    made::{Made, Version},
    open::FileKey,
    process::{Identity, Process},
    request::Limits,
    site::Site,
};
use crate::event::Frame;

/// Files that may be open at once: a process may have 1024 by default.
const OPEN: usize = 64;

/// Addresses of the kernel that are remembered: few places of it send a RST.
const KERNEL: usize = 4096;

/// The part of the memory that frames may take: one in so many.
const MADE: usize = 8;

/// Offsets of one file that are remembered.
const OFFSETS: usize = 16 << 10;

/// A file with code.
#[derive(Default)]
pub(super) struct Known {
    /// By offset in the file; empty where there is no symbol.
    calls: HashMap<u64, Told>,
    pub(super) image: Slot,
    /// Bytes of the open file.
    held: usize,
    /// Bytes of `calls`.
    told: usize,
    used: u64,
}

/// What was found at an offset.
pub(super) struct Told {
    /// How deep it was looked.
    pub(super) depth: Depth,
    pub(super) calls: Arc<[Call]>,
    pub(super) site: Site,
}

/// Whether a file is open.
#[derive(Default)]
pub(super) enum Slot {
    #[default]
    Closed,
    Open(Box<Image>),
    /// A worker has it.
    Taken,
}

impl Known {
    /// How deep an offset was looked at; None when not at all.
    pub(super) fn depth(&self, offset: u64) -> Option<Depth> {
        self.calls.get(&offset).map(|told| told.depth)
    }

    pub(super) fn is_taken(&self) -> bool {
        matches!(self.image, Slot::Taken)
    }
}

/// All that is known.
pub(super) struct Cache {
    processes: HashMap<Identity, Process>,
    files: HashMap<FileKey, Known>,
    kernel: HashMap<u64, Option<Symbol>>,
    kernel_version: Version,
    made: Made,
    /// Questions so far, which tell what was used last.
    clock: u64,
    pub(super) evicted: u64,
}

impl Cache {
    /// Nothing is known yet. In so many bytes all is to be kept.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            processes: HashMap::new(),
            files: HashMap::new(),
            kernel: HashMap::new(),
            kernel_version: 0,
            made: Made::new(memory / MADE),
            clock: 0,
            evicted: 0,
        }
    }

    pub(super) fn process(&self, identity: &Identity) -> Option<&Process> {
        self.processes.get(identity)
    }

    /// Something about a process changes.
    pub(super) fn process_mut(&mut self, identity: &Identity) -> Option<&mut Process> {
        let process = self.processes.get_mut(identity)?;
        process.version = self.made.version();
        Some(process)
    }

    /// The version of the kernel's symbols.
    pub(super) fn kernel_version(&self) -> Version {
        self.kernel_version
    }

    /// Adds frames that were made before; false when they are not there. Whoever has used their `file` uses it still.
    pub(super) fn recall(
        &mut self,
        key: (Version, u64, bool),
        frames: &mut Vec<Arc<Frame>>,
        file: &mut Option<FileKey>,
    ) -> bool {
        let Some(home) = self.made.add(key, frames) else { return false };
        if home != *file
            && let Some(known) = home.and_then(|key| self.files.get_mut(&key))
        {
            known.used = self.clock;
            *file = home;
        }
        true
    }

    /// Keeps frames of which nothing more will be known.
    pub(super) fn keep(&mut self, key: (Version, u64, bool), frames: &[Arc<Frame>], file: Option<FileKey>) {
        self.made.keep(key, frames, file);
    }

    pub(super) fn file(&self, key: FileKey) -> Option<&Known> {
        self.files.get(&key)
    }

    /// The calls at an offset of a file; None when nobody has looked yet.
    pub(super) fn calls(&mut self, key: FileKey, offset: u64) -> Option<(Depth, Arc<[Call]>)> {
        let known = self.files.get_mut(&key)?;
        known.used = self.clock;
        known.calls.get(&offset).map(|told| (told.depth, told.calls.clone()))
    }

    /// What the code before an offset of a file tells; None when nobody has looked yet.
    pub(super) fn site(&self, key: FileKey, offset: u64) -> Option<Site> {
        Some(self.files.get(&key)?.calls.get(&offset)?.site)
    }

    pub(super) fn kernel(&self, address: u64) -> Option<&Option<Symbol>> {
        self.kernel.get(&address)
    }

    /// Notes that a process was asked for.
    pub(super) fn touch(&mut self, identity: &Identity) {
        self.clock += 1;
        if let Some(process) = self.processes.get_mut(identity) {
            process.used = self.clock;
        }
    }

    /// Takes over what a look at a process has brought.
    pub(super) fn learn(&mut self, identity: &Identity, mut new: Process) {
        new.version = self.made.version();
        match self.processes.get_mut(identity) {
            Some(process) => process.renew(new),
            None => {
                let process = self.processes.entry(identity.clone()).or_insert(new);
                process.used = self.clock;
            }
        }
    }

    /// Keeps an open file, unless somebody was faster.
    pub(super) fn opened(&mut self, key: FileKey, image: Image) {
        let known = self.files.entry(key).or_default();
        known.used = self.clock;
        if matches!(known.image, Slot::Closed) {
            known.image = Slot::Open(Box::new(image));
        }
    }

    /// Takes an open file to work with it; no other worker has it until [`Cache::give_back`].
    pub(super) fn take(&mut self, key: FileKey) -> Option<Box<Image>> {
        let known = self.files.get_mut(&key)?;
        known.used = self.clock;
        match std::mem::replace(&mut known.image, Slot::Taken) {
            Slot::Open(image) => Some(image),
            other => {
                known.image = other;
                None
            }
        }
    }

    /// Returns a file with what was found in it.
    pub(super) fn give_back(&mut self, key: FileKey, image: Box<Image>, found: Vec<(u64, Told)>) {
        let known = self.files.entry(key).or_default();
        known.held = image.held();
        known.image = Slot::Open(image);
        if known.calls.len() + found.len() > OFFSETS {
            (known.calls, known.told) = (HashMap::new(), 0);
        }
        for (offset, told) in found {
            known.told += weight(&told.calls);
            if let Some(old) = known.calls.insert(offset, told) {
                known.told -= weight(&old.calls);
            }
        }
    }

    pub(super) fn learn_kernel(&mut self, found: Vec<(u64, Option<Symbol>)>) {
        if self.kernel.len() + found.len() > KERNEL {
            self.kernel = HashMap::new();
        }
        self.kernel.extend(found);
        self.kernel_version = self.made.version();
    }

    /// Bytes in memory, roughly.
    pub(super) fn held(&self) -> usize {
        self.found() + self.made.held().0
    }

    /// The same without the frames, which keep to their own bound.
    fn found(&self) -> usize {
        const SYMBOL: usize = 128;
        let processes: usize = self.processes.values().map(Process::held).sum();
        let files: usize = self.files.values().map(Known::held).sum();
        processes + files + self.kernel.len() * SYMBOL
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.processes.len())
    }

    /// Drops what was not used for longest until the limits are kept: open files first, which can be opened again.
    pub(super) fn shrink(&mut self, limits: &Limits) {
        let open = self.files.values().filter(|known| known.is_open()).count();
        for _ in OPEN..open {
            if self.close_oldest() {
                self.evicted += 1;
            }
        }
        let most = limits.memory.saturating_sub(self.made.held().1);
        let mut held = self.found();
        while held > most && self.close_oldest() {
            self.evicted += 1;
            held = self.found();
        }
        while held > most && self.forget_file() {
            held = self.found();
        }
        while (held > most || self.processes.len() > limits.processes) && self.forget_process() {
            held = self.found();
        }
    }

    /// Closes all files: what can be read again takes no memory then.
    pub(super) fn close(&mut self) {
        while self.close_oldest() {}
    }

    fn close_oldest(&mut self) -> bool {
        let open = self.files.values_mut().filter(|known| known.is_open());
        let Some(oldest) = open.min_by_key(|known| known.used) else { return false };
        oldest.image = Slot::Closed;
        oldest.held = 0;
        true
    }

    fn forget_file(&mut self) -> bool {
        let idle = self.files.iter().filter(|(_, known)| !known.is_taken());
        let Some(oldest) = idle.min_by_key(|(_, known)| known.used).map(|(key, _)| *key) else { return false };
        self.evicted += 1;
        self.files.remove(&oldest).is_some()
    }

    fn forget_process(&mut self) -> bool {
        let by_use = self.processes.iter().min_by_key(|(_, process)| process.used);
        let Some(oldest) = by_use.map(|(identity, _)| identity.clone()) else { return false };
        self.evicted += 1;
        self.processes.remove(&oldest).is_some()
    }
}

impl Known {
    fn is_open(&self) -> bool {
        matches!(self.image, Slot::Open(_))
    }

    /// Bytes in memory, roughly.
    fn held(&self) -> usize {
        size_of::<Self>() + self.held + self.told
    }
}

/// Bytes that calls take, with their entry in the table.
fn weight(calls: &[Call]) -> usize {
    const ENTRY: usize = 96;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    ENTRY + calls.iter().map(|call| size_of::<Call>() + text(&call.name) + text(&call.file)).sum::<usize>()
}
