//! Whole stacks, each kept once: the events of a flood have the same few. Who is done with an event then lets go of one
//! thing, and not of every frame, which the next event is just taking hold of on another processor.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
};

use crate::{
    event::{Frame, Frames},
    recent::Recent,
};

/// Frames of the stacks that are kept, some hundred bytes each.
const MOST: usize = 8_192;

/// Stacks that were told of late.
#[derive(Debug)]
pub(super) struct Whole {
    /// By a hash of where their frames are in memory.
    known: Recent<u64, Frames>,
    numbers: RandomState,
}

impl Default for Whole {
    fn default() -> Self {
        Self { known: Recent::new(MOST), numbers: RandomState::new() }
    }
}

impl Whole {
    /// The stack of these very frames.
    pub(super) fn shared(&mut self, frames: &[Arc<Frame>]) -> Frames {
        if frames.is_empty() {
            return Arc::default();
        }
        let mut number = self.numbers.build_hasher();
        frames.iter().for_each(|frame| number.write_usize(Arc::as_ptr(frame).addr()));
        let number = number.finish();
        if let Some(known) = self.known.get(&number)
            && known.iter().map(Arc::as_ptr).eq(frames.iter().map(Arc::as_ptr))
        {
            return Arc::clone(known);
        }
        let shared: Frames = frames.into();
        self.known.insert_weighing(number, Arc::clone(&shared), 1 + shared.len());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(symbol: &str) -> Arc<Frame> {
        Frame { symbol: Some(symbol.to_owned()), ..Frame::default() }.into()
    }

    #[test]
    fn stacks_of_the_same_frames_are_one() {
        let mut whole = Whole::default();
        let [first, second] = ["first", "second"].map(frame);
        let mut shared = |frames: &[&Arc<Frame>]| {
            let frames: Vec<Arc<Frame>> = frames.iter().map(|frame| Arc::clone(frame)).collect();
            whole.shared(&frames)
        };
        let stack = shared(&[&first, &second]);
        assert!(Arc::ptr_eq(&stack, &shared(&[&first, &second])));
        for other in [&[&second, &first][..], &[&first], &[&first, &frame("second")], &[]] {
            assert!(!Arc::ptr_eq(&stack, &shared(other)));
            assert!(shared(other).iter().eq(other.iter().copied()));
        }
    }

    #[test]
    fn stacks_that_are_kept_are_bounded() {
        let mut whole = Whole::default();
        for _ in 0..MOST {
            whole.shared(&[frame("f"), frame("g")]);
            assert!(whole.known.weight() <= MOST);
        }
    }
}
