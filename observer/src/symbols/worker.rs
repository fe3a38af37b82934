//! The threads that look things up. The caller's thread only takes what is known, and waits while it may.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    area::Area,
    cache::{Cache, Told},
    image::Image,
    kallsyms::Kallsyms,
    maps::Mapping,
    open::{self, FileKey},
    patience::Patience,
    perf::PerfMap,
    plan::{self, Step, Wanted},
    process::{self, Home, Identity},
    request::{Limits, Stats},
    window,
};
use crate::memory;

/// What callers and workers share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to do.
    work: Condvar,
    /// Something was done.
    pub(super) done: Condvar,
    pub(super) limits: Limits,
    /// Read when somebody first asks.
    kallsyms: Mutex<Option<Kallsyms>>,
}

/// What is guarded by the lock, which nobody holds while they look things up.
pub(super) struct State {
    pub(super) cache: Cache,
    queue: VecDeque<Job>,
    /// Numbers of jobs that are waiting or being worked on.
    pending: HashSet<u64>,
    /// Jobs that wait for a file which another worker has.
    parked: Vec<(FileKey, Job)>,
    pub(super) patience: Patience,
    pub(super) stats: Stats,
    stopped: bool,
}

/// Something to look up, with a number that tells equal ones.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) task: Task,
}

pub(super) enum Task {
    User(Wanted),
    /// Addresses in the kernel.
    Kernel(Vec<u64>),
}

impl State {
    /// Whether a job is waiting or being worked on.
    pub(super) fn is_pending(&self, number: u64) -> bool {
        self.pending.contains(&number)
    }
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            cache: Cache::new(limits.memory),
            queue: VecDeque::new(),
            pending: HashSet::new(),
            parked: Vec::new(),
            patience: Patience::new(Instant::now()),
            stats: Stats::default(),
            stopped: false,
        };
        let (work, done) = (Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), work, done, limits, kallsyms: Mutex::new(None) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, unless an equal one is under way already; false when too many wait.
    pub(super) fn queue(&self, state: &mut State, job: Job) -> bool {
        if state.pending.contains(&job.number) {
            return true;
        }
        if state.pending.len() >= self.limits.queue {
            return false;
        }
        state.pending.insert(job.number);
        state.queue.push_back(job);
        self.work.notify_one();
        true
    }

    /// Ends the workers as soon as each has done what it is at.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.work.notify_all();
    }

    /// Works until [`Shared::stop`].
    pub(super) fn run(&self) {
        while let Some(job) = self.next() {
            match job.task {
                Task::User(wanted) => self.user(job.number, wanted),
                Task::Kernel(addresses) => {
                    self.kernel(addresses);
                    self.finish(job.number);
                }
            }
        }
    }

    /// The next job; None when the worker is to end.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        let mut rested = false;
        loop {
            if state.stopped {
                return None;
            }
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            let (woken, timeout) =
                self.work.wait_timeout(state, self.limits.idle).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && !rested {
                rested = true;
                state.cache.close();
                drop(state);
                self.rest();
                state = self.state();
            }
        }
    }

    /// Drops what can be read again.
    pub(super) fn rest(&self) {
        if !self.limits.keep_kernel {
            *self.kallsyms.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        window::clear();
        memory::release();
    }

    fn finish(&self, number: u64) {
        self.state().pending.remove(&number);
        self.done.notify_all();
    }

    fn user(&self, number: u64, wanted: Wanted) {
        // Each address may need its file opened and searched; what was evicted meanwhile is looked up by the next one.
        for _ in 0..8 + 3 * (wanted.addresses.len() + wanted.top.len()) {
            let mut state = self.state();
            match plan::next(&mut state.cache, &wanted, Instant::now()) {
                Step::Done => break,
                // Who reads a file that does not answer must not fill the queue.
                Step::Wait(_) if state.parked.len() >= self.limits.queue / 4 => break,
                Step::Wait(key) => {
                    state.parked.push((key, Job { number, task: Task::User(wanted) }));
                    return;
                }
                step => {
                    drop(state);
                    self.step(&wanted, step);
                }
            }
        }
        self.finish(number);
    }

    fn step(&self, wanted: &Wanted, step: Step) {
        let identity = &wanted.identity;
        match step {
            Step::Look => {
                let look = process::look(identity, wanted.executable.as_ref());
                let mut state = self.state();
                state.cache.learn(identity, look.process);
                if let Some((key, image)) = look.image {
                    state.cache.opened(key, image);
                }
                state.cache.shrink(&self.limits);
            }
            Step::Names(names) => {
                let names = follow(identity.pid, names, self.limits.memory / 4);
                let mut state = self.state();
                if let Some(process) = state.cache.process_mut(identity) {
                    (process.jit, process.jit_looked) = (names, Some(Instant::now()));
                }
                state.cache.shrink(&self.limits);
            }
            Step::Open(address, mapping) => {
                let opened = open_mapping(identity, &mapping);
                let mut state = self.state();
                let home = opened.as_ref().map_or(Home::Nowhere, |(key, _)| Home::File(*key));
                if let Some(process) = state.cache.process_mut(identity) {
                    process.settle(address, home);
                }
                if let Some((key, image)) = opened {
                    state.cache.opened(key, image);
                }
                state.cache.shrink(&self.limits);
            }
            Step::Find(key, mut image, offsets, depth) => {
                let sites = image.sites(&offsets);
                let (calls, depth) = image.find(&offsets, depth, self.limits.memory / 2);
                let told = calls.into_iter().zip(sites).map(|(calls, site)| Told { depth, calls: calls.into(), site });
                let mut state = self.state();
                state.cache.give_back(key, image, offsets.into_iter().zip(told).collect());
                state.cache.shrink(&self.limits);
                self.unpark(&mut state, key);
            }
            Step::Wait(_) | Step::Done => {}
        }
    }

    /// Queues what has waited for a file.
    fn unpark(&self, state: &mut State, key: FileKey) {
        let parked = std::mem::take(&mut state.parked);
        for (wanted, job) in parked {
            if wanted == key {
                state.queue.push_front(job);
                self.work.notify_one();
            } else {
                state.parked.push((wanted, job));
            }
        }
    }

    /// Reads the kernel's symbols, in the thread of the caller.
    pub(super) fn prepare_kernel(&self) {
        self.kernel(Vec::new());
    }

    fn kernel(&self, addresses: Vec<u64>) {
        let mut kallsyms = self.kallsyms.lock().unwrap_or_else(PoisonError::into_inner);
        let all = kallsyms.get_or_insert_with(|| Kallsyms::read().unwrap_or_default());
        let found = addresses.into_iter().map(|address| (address, all.find(address))).collect();
        drop(kallsyms);
        self.state().cache.learn_kernel(found);
    }

    /// Bytes that caches hold.
    pub(super) fn held(&self, state: &State) -> usize {
        // The worker that reads it has it now: nobody waits for that.
        let kallsyms = self.kallsyms.try_lock().ok().and_then(|kallsyms| kallsyms.as_ref().map(Kallsyms::held));
        state.cache.held() + kallsyms.unwrap_or(0)
    }
}

fn follow(pid: u32, mut names: Arc<PerfMap>, most: usize) -> Arc<PerfMap> {
    if let Some(file) = open::perf_map(pid).filter(|file| !names.is_current(file)) {
        // Callers read the old one meanwhile.
        Arc::make_mut(&mut names).follow(&file, most);
    }
    names
}

fn open_mapping(identity: &Identity, mapping: &Mapping) -> Option<(FileKey, Image)> {
    let file = open::mapped(identity.pid, mapping).filter(|_| identity.is_there())?;
    Some((FileKey::of(&file)?, Image::open(Area::file(file).ok()?)?))
}
