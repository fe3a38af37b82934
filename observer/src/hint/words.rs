//! What [`When::Frame`] looks for in frames, all of it at once: most stacks have none of it, and one by one it would take
//! longer than all else that is found out about a finding.

use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{When, table::ENTRIES};
use crate::{
    event::{Finding, Frame, Frames},
    recent::Recent,
};

/// Frames of the stacks that are remembered, some hundred bytes each.
const MOST: usize = 8_192;

/// Words that were found: a bit for each of [`WORDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(u64);

impl Words {
    /// Whether one of these was.
    pub(super) fn has(self, wanted: &[&str]) -> bool {
        let found = |word: &&str| WORDS.list.binary_search(word).is_ok_and(|index| self.0 >> index & 1 == 1);
        self.0 != 0 && wanted.iter().any(found)
    }
}

/// What was found in stacks.
#[derive(Debug)]
pub(super) struct Searched {
    /// By the stack's place in memory; the stack is kept, so that no other one can take its place.
    known: Recent<usize, (Frames, Words)>,
}

impl Default for Searched {
    fn default() -> Self {
        Self { known: Recent::new(MOST) }
    }
}

impl Searched {
    /// Those in the user stack of a finding.
    pub(super) fn words(&mut self, finding: &Finding) -> Words {
        let Some(stack) = finding.stack.as_ref().map(|stack| &stack.user) else { return Words::default() };
        let place = Arc::as_ptr(stack).addr();
        if let Some((_, words)) = self.known.get(&place) {
            return *words;
        }
        let words = Words(stack.iter().fold(0, |found, frame| found | WORDS.of(frame).0));
        self.known.insert_weighing(place, (Arc::clone(stack), words), 1 + stack.len());
        words
    }
}

/// All words, sorted, 64 at most: a test counts them.
pub(super) static WORDS: LazyLock<Lexicon> = LazyLock::new(|| {
    let conditions = ENTRIES.iter().flat_map(|entry| entry.when);
    let known = conditions.filter_map(|condition| if let When::Frame(words) = condition { Some(*words) } else { None });
    let mut list: Vec<&'static str> = known.flatten().copied().collect();
    list.sort_unstable();
    list.dedup();
    // A table of some kilobytes; without one, nothing is found.
    let search = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&list).ok();
    Lexicon { list, search }
});

pub(super) struct Lexicon {
    pub(super) list: Vec<&'static str>,
    search: Option<AhoCorasick>,
}

impl Lexicon {
    /// Those in the names of a frame's function and file.
    fn of(&self, frame: &Frame) -> Words {
        let Some(search) = &self.search else { return Words::default() };
        let texts = frame.symbol.iter().chain(&frame.file);
        let found = texts.flat_map(|text| search.find_overlapping_iter(text));
        Words(found.fold(0, |found, word| found | 1_u64.checked_shl(word.pattern().as_u32()).unwrap_or(0)))
    }
}
