//! Stacks to symbols: which function, file and line an address of a process or of the kernel belongs to.
//!
//! ```text
//!  caller ─► frames ◄─── made, cache ◄── worker ─► process ─► maps, perf
//!  (waits until its deadline)                  └───► image ───► golang, dwarf, table
//! ```
//!
//! Callers only take what is known. Workers look the rest up, also when the caller's deadline has passed: the next stack
//! has symbols then. Files, maps and processes belong to strangers: parsers are total, files are read and never mapped,
//! and each question has an allowance of bytes that it may read.

mod request;
mod window;
mod area;
mod elf;
mod table;
mod demangle;
mod call;
mod golang;
mod dwarf;
mod maps;
mod perf;
mod kallsyms;
mod open;
mod site;
mod image;
mod process;
mod made;
mod cache;
mod leaf;
mod frames;
mod patience;
mod plan;
mod worker;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
pub(crate) mod mutate;

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    sync::{Arc, PoisonError},
    thread,
    time::Instant,
};

use frames::{Answer, in_kernel};
use plan::Wanted;
use process::Identity;
use worker::{Job, Shared, State, Task};

pub use request::{Executable, Limits, Request, Stats};

use crate::event::Frame;

/// Names functions, with threads of its own.
pub struct Symbolizer {
    shared: Arc<Shared>,
    /// Numbers jobs: with keys of its own, so that nobody can make two stacks pass for one.
    numbers: RandomState,
}

impl Symbolizer {
    /// Starts the threads.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn start(limits: Limits) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(limits));
        let symbolizer = Self { shared: shared.clone(), numbers: RandomState::new() };
        for _ in 0..limits.workers.max(1) {
            let shared = shared.clone();
            thread::Builder::new().name("symbols".into()).spawn(move || shared.run())?;
        }
        Ok(symbolizer)
    }

    /// Adds the frames of a stack in a process: with symbols if they are known, or become known before the deadline.
    /// Otherwise with module and offset where those are known; the symbols are looked up for later stacks.
    pub fn user(&self, request: &Request<'_>, deadline: Instant, frames: &mut Vec<Arc<Frame>>) {
        let identity = Identity::of(request);
        let answer = |state: &mut State, frames: &mut Vec<Arc<Frame>>| {
            frames::user(&mut state.cache, &identity, request, Instant::now(), frames)
        };
        let job = |addresses: &[u64]| {
            let number = self.numbers.hash_one((&identity, addresses));
            let executable = request.executable.cloned();
            let (addresses, top) = (addresses.to_vec(), request.top.to_vec());
            Job { number, task: Task::User(Wanted { identity: identity.clone(), executable, addresses, top }) }
        };
        if self.ask(answer, || job(request.addresses), deadline, frames) {
            // A mere look, that nobody waits for.
            self.shared.queue(&mut self.shared.state(), job(&[]));
        }
    }

    /// Adds the frames of a stack in the kernel; addresses only where the kernel hides its symbols.
    pub fn kernel(&self, addresses: &[u64], deadline: Instant, frames: &mut Vec<Arc<Frame>>) {
        let job = || {
            let places = addresses.iter().enumerate();
            let wanted: Vec<u64> = places.map(|(index, address)| in_kernel(index, *address)).collect();
            Job { number: self.numbers.hash_one(&wanted), task: Task::Kernel(wanted) }
        };
        self.ask(|state, frames| frames::kernel(&mut state.cache, addresses, frames), job, deadline, frames);
    }

    /// Reads the kernel's symbols, and waits for that as long as it takes.
    pub fn prepare_kernel(&self) {
        self.shared.prepare_kernel();
    }

    /// Drops all that can be read again, as it happens by itself after `Limits::idle` without work.
    pub fn rest(&self) {
        self.shared.state().cache.close();
        self.shared.rest();
    }

    /// What has been done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.shared.state();
        let (files, processes) = state.cache.counts();
        let memory = self.shared.held(&state);
        Stats { evicted: state.cache.evicted, memory, files, processes, ..state.stats }
    }

    /// Adds what is known, or becomes known before the deadline. Whether the process should be looked at again.
    fn ask(
        &self,
        answer: impl Fn(&mut State, &mut Vec<Arc<Frame>>) -> Answer,
        job: impl FnOnce() -> Job,
        deadline: Instant,
        frames: &mut Vec<Arc<Frame>>,
    ) -> bool {
        let begin = frames.len();
        let mut state = self.shared.state();
        let known = answer(&mut state, frames);
        if known.complete {
            state.stats.hits += 1;
            return known.stale;
        }
        state.stats.misses += 1;
        let job = job();
        let number = job.number;
        if !self.shared.queue(&mut state, job) {
            state.stats.shed += 1;
            return false;
        }
        let start = Instant::now();
        let end = deadline.min(start + state.patience.left(start));
        while state.is_pending(number) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.stats.late += 1;
                break;
            }
            state = self.shared.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.patience.spend(start.elapsed());
        frames.truncate(begin);
        answer(&mut state, frames);
        false
    }
}

impl Drop for Symbolizer {
    /// Nobody waits for a worker that is reading a large file: it ends when it is done with that.
    fn drop(&mut self) {
        self.shared.stop();
    }
}
