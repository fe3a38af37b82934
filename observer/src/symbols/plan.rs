//! What a worker does next for a stack. Each step looks one thing up; the plan is made anew after each, from what is
//! known by then.

use std::{sync::Arc, time::Instant};

use super::{
    cache::{Cache, Slot},
    image::{Depth, Image},
    leaf,
    maps::Mapping,
    open::FileKey,
    perf::PerfMap,
    process::{Home, Identity, Process, before, in_file},
    request::Executable,
};

/// A stack that is to be looked up.
pub(super) struct Wanted {
    pub(super) identity: Identity,
    pub(super) executable: Option<Executable>,
    /// None in a mere look at whether the process has changed.
    pub(super) addresses: Vec<u64>,
    /// What lies on top of the stack.
    pub(super) top: Vec<u64>,
}

/// What to do next.
pub(super) enum Step {
    /// Look where the code of the process lies.
    Look,
    /// Read names of code that was made at run time.
    Names(Arc<PerfMap>),
    /// Open the file of the mapping at an address.
    Open(u64, Mapping),
    /// Find calls at offsets in a file.
    Find(FileKey, Box<Image>, Vec<u64>, Depth),
    /// Another worker has the file.
    Wait(FileKey),
    Done,
}

/// The next step.
pub(super) fn next(cache: &mut Cache, wanted: &Wanted, now: Instant) -> Step {
    let Some(process) = cache.process(&wanted.identity) else { return Step::Look };
    let addresses = addresses(cache, process, wanted, now);
    let lost = addresses.iter().any(|address| process.at(*address).is_none());
    if process.is_stale(now) || (lost && process.may_have_grown(now)) {
        return Step::Look;
    }
    if let Some(step) = unopened(process, &addresses, now) {
        return step;
    }
    // Names come first: of all files they are soon found, and they are what people look for.
    for depth in [Depth::Names, Depth::Whole] {
        match search(cache, wanted, &addresses, depth) {
            Step::Done => {}
            step => return step,
        }
    }
    Step::Done
}

/// What to look up, as far as that is known by now.
fn addresses(cache: &Cache, process: &Process, wanted: &Wanted, now: Instant) -> Vec<u64> {
    let callers = leaf::callers(cache, process, &wanted.addresses, &wanted.top, now);
    let all = wanted.addresses.iter().copied().chain(callers.found).chain(callers.wanted);
    all.map(before).collect()
}

/// Opens files and maps of names that addresses lie in.
fn unopened(process: &Process, addresses: &[u64], now: Instant) -> Option<Step> {
    for (address, place) in addresses.iter().filter_map(|address| Some((*address, process.at(*address)?))) {
        if place.mapping.is_made_at_run_time() {
            if process.jit.find(address).is_none() && process.may_have_names(now) {
                return Some(Step::Names(process.jit.clone()));
            }
        } else if place.home == Home::Unopened {
            return Some(Step::Open(address, place.mapping.clone()));
        }
    }
    None
}

/// Finds what is missing at a depth, in one file.
fn search(cache: &mut Cache, wanted: &Wanted, addresses: &[u64], depth: Depth) -> Step {
    let Some(process) = cache.process(&wanted.identity) else { return Step::Look };
    let mut busy = None;
    let mut missing = None;
    let mut offsets = Vec::new();
    // The program's own code before its libraries: a stack says more with it.
    let (own, others): (Vec<u64>, Vec<u64>) =
        addresses.iter().partition(|address| wanted.identity.is_own_code(**address));
    for address in own.into_iter().chain(others) {
        let Some(place) = process.at(address) else { continue };
        let Home::File(key) = place.home else { continue };
        let known = cache.file(key);
        let offset = in_file(place, address);
        if known.and_then(|known| known.depth(offset)) >= Some(depth) {
            continue;
        }
        match known.map(|known| &known.image) {
            None | Some(Slot::Closed) => return Step::Open(address, place.mapping.clone()),
            Some(Slot::Taken) => busy = Some(key),
            Some(Slot::Open(_)) if *missing.get_or_insert(key) == key => offsets.push(offset),
            // Another file's turn comes next.
            Some(Slot::Open(_)) => {}
        }
    }
    let taken = missing.and_then(|key| Some((key, cache.take(key)?)));
    match (taken, busy) {
        (Some((key, image)), _) => Step::Find(key, image, offsets, depth),
        (None, Some(key)) => Step::Wait(key),
        (None, None) => Step::Done,
    }
}
