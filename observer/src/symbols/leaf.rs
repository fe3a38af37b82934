//! Callers that frame pointers do not tell. A function without a frame leaves the frame pointer to its caller: the walk
//! begins there, and passes over the caller itself. With `close()` that is the very function that closes. Its return
//! address is still on top of the stack, at a place that the function's file tells: nothing is searched for, so that what
//! else lies there is never taken for a caller.

use std::time::Instant;

use super::{
    cache::Cache,
    process::{Home, Process, before, in_file},
    site::Site,
};

/// Callers between the innermost address and the next one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Callers {
    /// The innermost first.
    pub(super) found: Vec<u64>,
    /// An address that must be looked up to go on.
    pub(super) wanted: Option<u64>,
}

/// What is known of a site.
enum Known {
    /// Code that no file tells of.
    Nothing,
    /// Nobody has looked yet.
    NotYet,
    Site(Site),
}

/// The callers that are missing behind the innermost of some addresses, as far as files are known. `top` is what lies on
/// the stack from the stack pointer up.
pub(super) fn callers(cache: &Cache, process: &Process, addresses: &[u64], top: &[u64], now: Instant) -> Callers {
    let mut callers = Callers::default();
    let Some(innermost) = addresses.first().filter(|_| !top.is_empty()) else { return callers };
    let mut site = match known(cache, process, *innermost, now) {
        Known::Site(site) => site,
        Known::Nothing => return callers,
        Known::NotYet => return Callers { wanted: Some(*innermost), ..callers },
    };
    let mut top = top;
    while let Some((caller, rest)) = site.returns.and_then(|bytes| above(top, bytes)) {
        if addresses.get(1) == Some(&caller) {
            break; // it had a frame pointer all the same
        }
        match known(cache, process, caller, now) {
            Known::Site(found) if found.calls => site = found,
            Known::Site(_) | Known::Nothing => break,
            Known::NotYet => {
                callers.wanted = Some(caller);
                break;
            }
        }
        callers.found.push(caller);
        top = rest;
    }
    callers
}

/// The word so many bytes from the stack pointer, and what lies above it.
fn above(top: &[u64], bytes: u64) -> Option<(u64, &[u64])> {
    let index = usize::try_from(bytes / 8).ok().filter(|_| bytes.is_multiple_of(8))?;
    let (word, rest) = top.get(index..)?.split_first()?;
    Some((*word, rest))
}

fn known(cache: &Cache, process: &Process, address: u64, now: Instant) -> Known {
    let Some(place) = process.at(before(address)) else {
        return if process.may_have_grown(now) { Known::NotYet } else { Known::Nothing };
    };
    match place.home {
        _ if place.mapping.is_made_at_run_time() => Known::Nothing,
        Home::Nowhere => Known::Nothing,
        Home::Unopened => Known::NotYet,
        Home::File(key) => cache.site(key, in_file(place, before(address))).map_or(Known::NotYet, Known::Site),
    }
}
