//! Makes frames of an event from what is known. Looks nothing up: it runs on the caller's thread.

use std::{path::Path, sync::Arc, time::Instant};

use super::{
    cache::Cache,
    call::Call,
    image::Depth,
    leaf,
    made::NOBODYS,
    open::FileKey,
    process::{Home, Identity, before, in_file},
    request::Request,
};
use crate::event::Frame;

/// How much is known of a stack, whose frames are told beside it.
pub(super) struct Answer {
    /// Looking things up would tell no more.
    pub(super) complete: bool,
    /// The process should be looked at again, by and by.
    pub(super) stale: bool,
}

/// What is known of an address.
enum Known {
    /// Looking things up could tell more.
    Partly,
    /// For now, as far as that goes.
    Now,
    /// As long as its process stays as it is; in this file, if it is in one.
    Lasting(Option<FileKey>),
}

/// What to look up in the kernel, where the innermost address is where it was.
pub(super) fn in_kernel(index: usize, address: u64) -> u64 {
    if index == 0 { address } else { before(address) }
}

/// Adds the frames of a stack in a process.
pub(super) fn user(
    cache: &mut Cache,
    identity: &Identity,
    request: &Request<'_>,
    now: Instant,
    frames: &mut Vec<Arc<Frame>>,
) -> Answer {
    cache.touch(identity);
    let process = cache.process(identity);
    let stale = process.is_some_and(|process| process.is_stale(now));
    let version = process.map(|process| process.version);
    let callers = process.map(|process| leaf::callers(cache, process, request.addresses, request.top, now));
    let callers = callers.unwrap_or_default();
    let mut complete = callers.wanted.is_none();
    let mut file = None;
    let (innermost, others) = request.addresses.split_at(request.addresses.len().min(1));
    for address in [innermost, &callers.found, others].into_iter().flatten() {
        let key = version.map(|version| (version, *address, false));
        if key.is_some_and(|key| cache.recall(key, frames, &mut file)) {
            continue;
        }
        let first = frames.len();
        let known = add(cache, identity, request, *address, now, frames);
        complete &= !matches!(known, Known::Partly);
        if let (Some(key), Known::Lasting(file)) = (key, known) {
            cache.keep(key, &frames[first..], file);
        }
    }
    Answer { complete, stale }
}

/// Adds the frames of an address.
fn add(
    cache: &mut Cache,
    identity: &Identity,
    request: &Request<'_>,
    address: u64,
    now: Instant,
    frames: &mut Vec<Arc<Frame>>,
) -> Known {
    let now_or_partly = |now| if now { Known::Now } else { Known::Partly };
    let wanted = before(address);
    let plain = || Frame { address: Some(hex(address)), ..Frame::default() };
    let process = cache.process(identity);
    let Some((process, place)) = process.and_then(|process| Some((process, process.at(wanted)?))) else {
        let own = (request.text_start..request.text_end).contains(&wanted);
        let known = now_or_partly(process.is_some_and(|process| !process.may_have_grown(now)));
        let module = request.executable.filter(|_| own).and_then(|program| file_name(&program.path));
        // While the process is not known, it may lie in something after all.
        if module.is_some() || matches!(known, Known::Partly) {
            frames.push(Frame { module, ..plain() }.into());
        } else if !cache.recall((NOBODYS, address, false), frames, &mut None) {
            let frame = Arc::new(plain());
            cache.keep((NOBODYS, address, false), std::slice::from_ref(&frame), None);
            frames.push(frame);
        }
        return known;
    };
    if place.mapping.is_made_at_run_time() {
        let function = process.jit.find(wanted);
        let known = match function {
            Some(_) => Known::Lasting(None),
            None => now_or_partly(!process.may_have_names(now)),
        };
        let (symbol, offset) = function.map(|(name, start)| (name.to_owned(), hex(address - start))).unzip();
        frames.push(Frame { symbol, offset, ..plain() }.into());
        return known;
    }
    let offset = in_file(place, wanted);
    let plain = Frame {
        module: Some(place.mapping.module().to_owned()),
        offset: Some(hex(in_file(place, address))),
        ..plain()
    };
    let (known, calls) = match place.home {
        Home::File(key) => match cache.calls(key, offset) {
            Some((Depth::Whole, calls)) => (Known::Lasting(Some(key)), Some(calls)),
            Some((Depth::Names, calls)) => (Known::Partly, Some(calls)),
            None => (Known::Partly, None),
        },
        Home::Nowhere => (Known::Lasting(None), None),
        Home::Unopened => (Known::Partly, None),
    };
    push(calls.as_deref().unwrap_or_default(), plain, address - wanted, frames);
    known
}

/// Adds a frame for each call. `plain` is what is known without them, `beyond` the distance from what was looked up to
/// the address itself.
fn push(calls: &[Call], plain: Frame, beyond: u64, frames: &mut Vec<Arc<Frame>>) {
    let Some((function, inlined)) = calls.split_last() else { return frames.push(plain.into()) };
    for call in inlined {
        let module = plain.module.clone();
        frames.push(Frame { inlined: Some(true), module, ..frame(call) }.into());
    }
    let into = function.into.map(|into| hex(into.saturating_add(beyond)));
    // The offset in the file is for those who look the symbol up themselves.
    let offset = if function.name.is_some() { into } else { plain.offset.clone() };
    frames.push(Frame { offset, address: plain.address, module: plain.module, ..frame(function) }.into());
}

fn frame(call: &Call) -> Frame {
    Frame { symbol: call.name.clone(), file: call.file.clone(), line: call.line, ..Frame::default() }
}

/// Adds the frames of a stack in the kernel.
pub(super) fn kernel(cache: &mut Cache, addresses: &[u64], frames: &mut Vec<Arc<Frame>>) -> Answer {
    let mut answer = Answer { complete: true, stale: false };
    for (index, address) in addresses.iter().enumerate() {
        let key = (cache.kernel_version(), *address, index == 0);
        if cache.recall(key, frames, &mut None) {
            continue;
        }
        let found = cache.kernel(in_kernel(index, *address));
        let known = found.is_some();
        let plain = Frame { address: Some(hex(*address)), ..Frame::default() };
        let frame = Arc::new(match found {
            Some(Some(found)) => Frame {
                symbol: Some(found.name.clone()),
                offset: Some(hex(address - found.start)),
                module: found.module.clone(),
                ..plain
            },
            _ => plain,
        });
        if known {
            cache.keep(key, std::slice::from_ref(&frame), None);
        }
        answer.complete &= known;
        frames.push(frame);
    }
    answer
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
