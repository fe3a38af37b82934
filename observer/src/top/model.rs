//! What is shown: a moment of a store, as rows. It takes a store, the time and actions; it neither draws nor waits.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    detail::{self, Line},
    figures::{Figures, Leaf, MINUTE, Reader, SECOND},
    filter::Filter,
    input::{Action, Mode},
    tree::{self, Opened, Path, Row, Sort},
};
use crate::store::{Instant, Selection, Store};

/// Windows that can be chosen.
const WINDOWS: [i64; 6] = [MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 360 * MINUTE, 1_440 * MINUTE];

/// How long after an event its recorder may take to write it, and then some.
const SETTLES: i64 = 10 * SECOND;

/// Where in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// At the end of what there is, and on with it.
    Follow,
    /// Here.
    At(Instant),
}

/// What an action asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The screen changes, and no more.
    Draw,
    /// Another row is selected: [`Model::describe`].
    Describe,
    /// Other figures: [`Model::read`].
    Read,
    Quit,
}

/// What is shown.
pub(super) struct Model {
    /// What is looked at, in words.
    pub(super) name: String,
    selection: Selection,
    reader: Reader,
    leaves: BTreeMap<Leaf, Figures>,
    opened: Opened,
    cursor: Option<Path>,
    told: Option<(Path, u64, Instant)>,
    /// Index in [`WINDOWS`].
    window: usize,
    pub(super) position: Position,
    /// The end of the window.
    pub(super) end: Instant,
    /// The times of the first and behind the last event.
    pub(super) span: Option<(Instant, Instant)>,
    /// Somebody writes the store.
    pub(super) live: bool,
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    pub(super) mode: Mode,
    pub(super) rows: Vec<Row>,
    pub(super) sum: Figures,
    pub(super) detail: Vec<Line>,
    /// What is wrong with the filter line that is being written.
    pub(super) refused: Option<String>,
    /// What went wrong otherwise.
    pub(super) trouble: Option<String>,
}

impl Model {
    /// A view of the store of this name.
    pub(super) fn new(name: String, selection: Selection, position: Position) -> Self {
        Self {
            name,
            selection,
            reader: Reader::default(),
            leaves: BTreeMap::new(),
            opened: Opened::default(),
            cursor: None,
            told: None,
            window: 0,
            position,
            end: 0,
            span: None,
            live: false,
            filter: Filter::default(),
            sort: Sort::default(),
            mode: Mode::default(),
            rows: Vec::new(),
            sum: Figures::default(),
            detail: Vec::new(),
            refused: None,
            trouble: None,
        }
    }

    /// Nanoseconds of the window.
    pub(super) fn window(&self) -> i64 {
        WINDOWS[self.window]
    }

    /// Reads the rows anew; `live` says whether the store is being written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(&mut self, store: &Store, now: Instant, live: bool) -> Result<()> {
        self.live = live;
        self.span = store.span()?.map(|(first, last)| (first, last.saturating_add(1)));
        self.end = match self.position {
            Position::Follow => self.latest(now),
            Position::At(end) => end,
        };
        let selection = self.filter.narrow(&self.selection);
        let first = self.span.map_or(0, |(first, _)| first);
        let settled = if live { now - SETTLES } else { Instant::MAX };
        self.leaves = self.reader.read(store, &selection, (first, self.end), self.window(), settled)?;
        self.leaves.retain(|leaf, _| self.filter.lets_pass(leaf));
        self.sum = Figures::default();
        self.leaves.values().for_each(|figures| self.sum.add(figures));
        self.arrange();
        self.describe(store)
    }

    /// The latest moment that there is to see.
    fn latest(&self, now: Instant) -> Instant {
        let latest = match self.span {
            Some((_, last)) if !self.live => last,
            _ => now,
        };
        self.selection.until.map_or(latest, |until| latest.min(until))
    }

    /// Puts the rows in order, and finds the selected one again, or else the next one above it in the tree.
    fn arrange(&mut self) {
        self.rows = tree::rows(&self.leaves, &self.opened, self.sort);
        let is_there = |path: &Path| self.rows.iter().any(|row| row.path == *path);
        if let Some(mut path) = self.cursor.take() {
            while !path.is_empty() && !is_there(&path) {
                path.pop();
            }
            self.cursor = Some(path).filter(|path| !path.is_empty());
        }
    }

    /// Tells of the selected row, unless that has been told.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn describe(&mut self, store: &Store) -> Result<()> {
        let Some(row) = self.rows.get(self.selected()) else {
            self.told = None;
            self.detail.clear();
            return Ok(());
        };
        let told = Some((row.path.clone(), row.figures.total, self.end));
        let same = match (&self.told, &told) {
            // Nothing was added: the latest one is the same, wherever time has gone to since.
            (Some(before), Some(after)) => before.0 == after.0 && before.1 == after.1,
            _ => false,
        };
        if !same {
            self.detail = detail::of(store, &self.filter.narrow(&self.selection), row, self.end)?;
            self.told = told;
        }
        Ok(())
    }

    /// Index of the selected row.
    pub(super) fn selected(&self) -> usize {
        let cursor = self.cursor.as_ref();
        cursor.and_then(|path| self.rows.iter().position(|row| row.path == *path)).unwrap_or(0)
    }

    /// Does what somebody wants; `page` is how many rows are seen at a time.
    pub(super) fn apply(&mut self, action: Action, page: usize) -> Effect {
        match action {
            Action::Quit => Effect::Quit,
            Action::Enter(mode) => {
                self.mode = mode;
                self.refused = None;
                Effect::Draw
            }
            Action::EditFilter => {
                self.mode = Mode::Filter(self.filter.text().to_owned());
                Effect::Draw
            }
            Action::Filter(text) => self.refilter(&text),
            Action::Move(rows) => self.select(rows),
            Action::Page(pages) => self.select(pages.saturating_mul(isize::try_from(page).unwrap_or(1))),
            Action::Toggle => {
                if let Some(row) = self.rows.get(self.selected()).filter(|row| row.open.is_some()) {
                    let path = row.path.clone();
                    self.opened.toggle(&path);
                    self.cursor = Some(path);
                }
                self.rearrange()
            }
            Action::ToggleAll => {
                self.opened.toggle_all();
                self.rearrange()
            }
            Action::Sort(sort) => {
                self.sort = sort;
                self.rearrange()
            }
            Action::Pause => {
                self.position = match self.position {
                    Position::Follow => Position::At(self.end),
                    Position::At(_) => Position::Follow,
                };
                Effect::Read
            }
            Action::Step(windows) => self.step(windows),
            Action::First => {
                if let Some((first, _)) = self.span {
                    self.position = Position::At(first.saturating_add(self.window()));
                }
                Effect::Read
            }
            Action::Last => {
                self.position = Position::Follow;
                Effect::Read
            }
            Action::Zoom(steps) => {
                // A closer look is a shorter window.
                let window = self.window.checked_add_signed(-steps).unwrap_or(0);
                self.window = window.min(WINDOWS.len() - 1);
                Effect::Read
            }
        }
    }

    /// Goes through time, not beyond what there is.
    fn step(&mut self, windows: i64) -> Effect {
        let end = self.end.saturating_add(windows.saturating_mul(self.window()));
        let Some((first, last)) = self.span else { return Effect::Draw };
        self.position = match self.position {
            Position::Follow if windows > 0 => Position::Follow,
            _ if end >= last && windows > 0 => Position::Follow,
            _ => Position::At(end.max(first.saturating_add(1))),
        };
        Effect::Read
    }

    fn select(&mut self, rows: isize) -> Effect {
        let last = self.rows.len().saturating_sub(1);
        let index = self.selected().saturating_add_signed(rows).min(last);
        self.cursor = self.rows.get(index).map(|row| row.path.clone());
        Effect::Describe
    }

    fn rearrange(&mut self) -> Effect {
        self.arrange();
        Effect::Describe
    }

    fn refilter(&mut self, text: &str) -> Effect {
        match Filter::parse(text) {
            Ok(filter) => {
                self.filter = filter;
                self.refused = None;
                self.told = None;
                self.mode = Mode::Table;
                Effect::Read
            }
            // What was written stays, to be put right.
            Err(told) => {
                self.refused = Some(told);
                Effect::Draw
            }
        }
    }
}
