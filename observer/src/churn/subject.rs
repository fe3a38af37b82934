//! Whom a verdict is about: a process and its peer, or a program and the server that its runs connect to.

use std::collections::HashSet;

use observer_ebpf::{Churn as Count, Pair};
use zerocopy::transmute;

use super::program::Program;

/// Whom a verdict is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A process that is told by itself.
    Process(Key),
    /// Processes that are told together.
    Program(Program),
}

/// A pair, whichever part of the window it was counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key([u64; size_of::<Pair>() / 8]);

impl Key {
    pub(super) fn of(pair: &Pair) -> Self {
        Self(transmute!(Pair { window: 0, ..*pair }))
    }
}

/// Those that were told.
#[derive(Debug, Default)]
pub(super) struct Told(HashSet<Subject>);

impl Told {
    /// Whether they include this process, by itself or as one of a program that began at this time or later.
    pub(super) fn include(&self, pair: &Pair, count: &Count, since_ns: u64) -> bool {
        let program = || Program::of(pair, count, since_ns).map(Subject::Program);
        self.0.contains(&Subject::Process(Key::of(pair))) || program().is_some_and(|one| self.0.contains(&one))
    }
}

impl FromIterator<Subject> for Told {
    fn from_iter<I: IntoIterator<Item = Subject>>(subjects: I) -> Self {
        Self(subjects.into_iter().collect())
    }
}
