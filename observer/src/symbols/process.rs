//! Where the code of a process lies: read from /proc while the process is there, reckoned from its program's file when
//! it is gone.

use std::{
    fs::File,
    io::Read as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    area::Area,
    image::Image,
    made::Version,
    maps::{self, Mapping},
    open::{self, FileKey},
    perf::PerfMap,
    request::{Executable, Request},
};
use crate::{
    processes::FileId,
    procfile::{self, TICK_NS},
};

/// Libraries are loaded and unloaded while a process runs: its mappings are looked at again so often.
const STALE: Duration = Duration::from_secs(10);

/// The same for an address that lies in none of them.
const MISSING: Duration = Duration::from_secs(1);

/// The same for code that was made at run time and has no name yet.
const UNNAMED: Duration = Duration::from_secs(2);

/// Bytes of `/proc/PID/maps` that are read: 65,530 mappings are the usual limit.
const MAPS: u64 = 16 << 20;

/// A process between two `execve()`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) pid: u32,
    start_ns: u64,
    text: (u64, u64),
    program: Option<FileId>,
}

impl Identity {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self {
            pid: request.pid,
            start_ns: request.start_ns,
            text: (request.text_start, request.text_end),
            program: request.executable.and_then(|program| program.file),
        }
    }

    /// Whether an address lies in the program itself.
    pub(super) fn is_own_code(&self, address: u64) -> bool {
        (self.text.0..self.text.1).contains(&address)
    }

    /// Whether the process of that number is still this one, and runs the same program.
    pub(super) fn is_there(&self) -> bool {
        const START_TIME: usize = 22;
        const START_CODE: usize = 26;
        let folder = PathBuf::from(format!("/proc/{}", self.pid));
        let same = |field, wanted| wanted == 0 || procfile::stat(&folder, field).is_some_and(|value| value == wanted);
        // Who may not see it reads 1 as the begin of its code.
        let code = |wanted| same(START_CODE, wanted) || same(START_CODE, 1);
        same(START_TIME, self.start_ns / TICK_NS) && code(self.text.0)
    }
}

/// Where a mapping's symbols are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Home {
    /// Nobody has looked yet.
    Unopened,
    File(FileKey),
    /// There is no file, or nobody can read it.
    Nowhere,
}

/// Code in a process.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) mapping: Mapping,
    pub(super) home: Home,
}

/// What to look up for an address of a stack: a return address belongs to the call before it, which may be the last
/// instruction of its function, or of one that is inlined. The innermost address is the same in a process: it lies
/// behind the instruction that has called the kernel.
pub(super) fn before(address: u64) -> u64 {
    address.saturating_sub(1)
}

/// Offset in its file of an address in a mapping.
pub(super) fn in_file(place: &Place, address: u64) -> u64 {
    address.wrapping_sub(place.mapping.start).wrapping_add(place.mapping.offset)
}

/// What is known of a process.
pub(super) struct Process {
    places: Vec<Place>,
    /// When the mappings were read; None when the process was gone.
    looked: Option<Instant>,
    /// Names of code that was made at run time.
    pub(super) jit: Arc<PerfMap>,
    pub(super) jit_looked: Option<Instant>,
    /// Of what was made from what is known here.
    pub(super) version: Version,
    /// When it was last asked for, in a count of questions.
    pub(super) used: u64,
}

/// What a look at a process brings.
pub(super) struct Look {
    pub(super) process: Process,
    /// The program, when it had to be opened.
    pub(super) image: Option<(FileKey, Image)>,
}

impl Process {
    pub(super) fn new(mappings: Vec<Mapping>, looked: Option<Instant>) -> Self {
        let place = |mapping: Mapping| {
            let home = if mapping.inode == 0 { Home::Nowhere } else { Home::Unopened };
            Place { mapping, home }
        };
        let places = mappings.into_iter().map(place).collect();
        Self { places, looked, jit: Arc::default(), jit_looked: None, version: 0, used: 0 }
    }

    /// The code at an address.
    pub(super) fn at(&self, address: u64) -> Option<&Place> {
        let end = self.places.partition_point(|place| place.mapping.start <= address);
        self.places.get(end.checked_sub(1)?).filter(|place| address < place.mapping.end)
    }

    /// Notes where the symbols of the mapping at an address are.
    pub(super) fn settle(&mut self, address: u64, home: Home) {
        let end = self.places.partition_point(|place| place.mapping.start <= address);
        if let Some(place) = end.checked_sub(1).and_then(|index| self.places.get_mut(index)) {
            place.home = home;
        }
    }

    /// Whether a new look may bring more: a process that is gone does not change.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.looked.is_some_and(|looked| now.duration_since(looked) >= STALE)
    }

    /// The same for an address that is in no mapping.
    pub(super) fn may_have_grown(&self, now: Instant) -> bool {
        self.looked.is_some_and(|looked| now.duration_since(looked) >= MISSING)
    }

    /// The same for code without a name that was made at run time.
    pub(super) fn may_have_names(&self, now: Instant) -> bool {
        self.looked.is_some() && self.jit_looked.is_none_or(|looked| now.duration_since(looked) >= UNNAMED)
    }

    /// Takes over what a new look has brought.
    pub(super) fn renew(&mut self, new: Process) {
        self.version = new.version;
        if new.looked.is_none() {
            // It is gone: what was seen before is as good as it gets, unless there is nothing.
            self.looked = None;
            if !self.places.is_empty() {
                return;
            }
        }
        let old = std::mem::replace(&mut self.places, new.places);
        self.looked = new.looked;
        for place in &mut self.places {
            let same = old.binary_search_by_key(&place.mapping.start, |old| old.mapping.start).ok();
            let same = same.and_then(|index| old.get(index)).filter(|old| old.mapping == place.mapping);
            place.home = same.map_or(place.home, |old| old.home);
        }
    }

    /// Bytes in memory, roughly.
    pub(super) fn held(&self) -> usize {
        const PATH: usize = 64;
        size_of::<Self>() + self.places.len() * (size_of::<Place>() + PATH) + self.jit.held()
    }
}

/// Reads the mappings of a process, or reckons them from its program.
pub(super) fn look(identity: &Identity, executable: Option<&Executable>) -> Look {
    let there = mappings(identity.pid).filter(|_| identity.is_there());
    if let Some(mappings) = there {
        return Look { process: Process::new(mappings, Some(Instant::now())), image: None };
    }
    let gone = executable.and_then(|executable| own_code(identity, executable));
    gone.unwrap_or_else(|| Look { process: Process::new(Vec::new(), None), image: None })
}

/// A process that has no memory left, or never had any, has no mappings.
fn mappings(pid: u32) -> Option<Vec<Mapping>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/maps")).ok()?.take(MAPS).read_to_end(&mut text).ok()?;
    Some(maps::parse(&String::from_utf8_lossy(&text))).filter(|mappings| !mappings.is_empty())
}

/// The program's own code, by where it was in memory.
fn own_code(identity: &Identity, executable: &Executable) -> Option<Look> {
    let file = open::executable(executable, identity.start_ns)?;
    let key = FileKey::of(&file)?;
    let image = Image::open(Area::file(file).ok()?)?;
    let segments = || image.elf().segments.iter();
    let code = || segments().filter(|segment| segment.executable);
    let end = code().map(|segment| segment.address.saturating_add(segment.size)).max()?;
    // The begin of the code is the one of the first executable segment. Where the two ends of the code do not fit to
    // that, it is the one of the first segment, as older kernels had it.
    let begins = [code().map(|segment| segment.address).min(), segments().map(|segment| segment.address).min()];
    let biases = begins.into_iter().flatten().map(|begin| identity.text.0.wrapping_sub(begin));
    let whole = |bias: &u64| identity.text.1 == 0 || bias.wrapping_add(end) == identity.text.1;
    let fits = |bias: &u64| identity.text.0 != 0 && bias.is_multiple_of(4096) && whole(bias);
    let bias = biases.clone().find(fits)?;
    let path: Arc<str> = executable.path.to_string_lossy().into();
    let mapping = |address: u64, size: u64, offset| {
        let start = bias.wrapping_add(address);
        Mapping { start, end: start.saturating_add(size), offset, inode: 1, path: path.clone() }
    };
    let mut mappings: Vec<Mapping> =
        code().map(|segment| mapping(segment.address, segment.size, segment.offset)).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    let mut process = Process::new(mappings, None);
    for place in &mut process.places {
        place.home = Home::File(key);
    }
    Some(Look { process, image: Some((key, image)) })
}
