//! What is asked, and what it may cost.

use std::{path::Path, sync::Arc, time::Duration};

use crate::processes::FileId;

/// A stack of a process.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The process.
    pub pid: u32,
    /// When it started, nanoseconds of CLOCK_BOOTTIME; 0 when unknown. A process that started at another time is not
    /// taken for it.
    pub start_ns: u64,
    /// Its program, for the time when the process is gone.
    pub executable: Option<&'a Executable>,
    /// Where the program's own code lies in its memory (`mm_struct.start_code`, `end_code`); 0 when unknown.
    pub text_start: u64,
    /// See `text_start`.
    pub text_end: u64,
    /// The innermost first: where the process has called the kernel, and the return addresses.
    pub addresses: &'a [u64],
    /// Words that lay on its stack, from the stack pointer up; empty when they are not known. They tell callers that the
    /// addresses lack.
    pub top: &'a [u64],
}

/// A program's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Where this process can open it.
    pub path: Arc<Path>,
    /// Which file it is. When that is unknown, only a file that has not changed since the process began is taken for
    /// the program.
    pub file: Option<FileId>,
}

/// What symbols may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory that caches may hold; 1 MiB for each worker comes on top.
    pub memory: usize,
    /// Stacks that may wait, or be worked on.
    pub queue: usize,
    /// Processes whose mappings are kept.
    pub processes: usize,
    /// Threads. One may be busy for seconds with a large file; the others go on.
    pub workers: usize,
    /// After so long without work, what can be read again is dropped.
    pub idle: Duration,
    /// Keep the kernel's symbols even then: reading them takes longer than an event may wait.
    pub keep_kernel: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            queue: 256,
            processes: 1024,
            workers: 2,
            idle: Duration::from_secs(60),
            keep_kernel: false,
        }
    }
}

/// What has been done so far. `hits + misses` is the number of stacks asked for; each of `late` and `shed` is a miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Stacks that were answered at once.
    pub hits: u64,
    /// Stacks that had to be looked up.
    pub misses: u64,
    /// Lookups that took longer than the caller waited.
    pub late: u64,
    /// Lookups that were not begun: too many waited already.
    pub shed: u64,
    /// Files and processes forgotten for want of memory.
    pub evicted: u64,
    /// Bytes of memory that caches hold, roughly.
    pub memory: usize,
    /// Files that something is known of.
    pub files: usize,
    /// Processes whose mappings are known.
    pub processes: usize,
}
