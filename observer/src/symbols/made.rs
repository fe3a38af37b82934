//! Frames that were made once, for all events that show them: of addresses of which nothing more will be known, and of those of
//! which nothing is. Bounded in bytes; what was not used of late goes first.

use std::sync::Arc;

use super::open::FileKey;
use crate::{event::Frame, recent::Recent};

/// Whose addresses, and as of when: what is learnt anew of a process, or of the kernel, begins another version.
pub(super) type Version = u64;

/// Of addresses that lie in nothing that is known: all that is told of them is themselves, whosever they are. Stacks often end with
/// one, where a function keeps no frame pointer.
pub(super) const NOBODYS: Version = Version::MAX;

/// An address, and whether it is the innermost of its stack.
type Key = (Version, u64, bool);

/// The frames.
pub(super) struct Made {
    frames: Recent<Key, Lasting>,
    versions: Version,
    /// Most bytes.
    room: usize,
}

/// What is told of an address.
struct Lasting {
    /// A function, behind those that are inlined there.
    frames: Box<[Arc<Frame>]>,
    /// The file that it was found in.
    file: Option<FileKey>,
}

impl Made {
    /// None yet, and so many bytes at most.
    pub(super) fn new(room: usize) -> Self {
        Self { frames: Recent::new(room), versions: 0, room }
    }

    /// A version that nobody has.
    pub(super) fn version(&mut self) -> Version {
        self.versions += 1;
        self.versions
    }

    /// Adds the frames of an address to others, and gives their file; None when they are not there.
    pub(super) fn add(&mut self, key: Key, frames: &mut Vec<Arc<Frame>>) -> Option<Option<FileKey>> {
        let lasting = self.frames.get(&key)?;
        frames.extend(lasting.frames.iter().cloned());
        Some(lasting.file)
    }

    /// Keeps the frames of an address.
    pub(super) fn keep(&mut self, key: Key, frames: &[Arc<Frame>], file: Option<FileKey>) {
        let weight = size_of::<(Key, Lasting)>() + frames.iter().map(|frame| weight(frame)).sum::<usize>();
        self.frames.insert_weighing(key, Lasting { frames: frames.into(), file }, weight);
    }

    /// Bytes in memory, roughly, and the most that there will be.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.frames.weight(), self.room)
    }
}

/// Bytes that a frame takes, with what the allocator adds.
fn weight(frame: &Frame) -> usize {
    const TEXTS: usize = 5 * 16;
    let Frame { address, symbol, offset, module, file, line: _, inlined: _ } = frame;
    let texts = [address, symbol, offset, module, file];
    size_of::<Frame>() + TEXTS + texts.into_iter().flatten().map(String::len).sum::<usize>()
}
