//! `top`: who closes badly now, or did at any time before: rates by process, peer and cause, with the latest finding of the
//! selected row. The model takes a store and a time, so that a store that is being written, one of the past and one made
//! from files look the same.

mod detail;
mod draw;
mod figures;
mod filter;
#[cfg(test)]
mod fixture;
mod input;
mod model;
mod numbers;
mod recording;
mod screen;
#[cfg(test)]
mod tests;
mod totals;
mod tree;

use std::path::PathBuf;

use crate::store::{Instant, Selection};

pub use screen::run;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// A store or files of events; none for an observer of our own.
    pub paths: Vec<PathBuf>,
    /// Which events.
    pub selection: Selection,
    /// The end of the first window; None to follow what comes.
    pub at: Option<Instant>,
}
