//! `query`: recorded events, or how many of which there are. Only reads, and writes rows to whoever asks.

mod groups;
mod lines;
#[cfg(test)]
mod tests;

use std::io::Write;

use anyhow::Result;

pub(crate) use self::groups::cell;
use crate::{
    store::{Field, Order, Selection, Store},
    table::{Format, Printer},
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// Of these events.
    pub selection: Selection,
    /// What of them.
    pub view: View,
    /// How it is written.
    pub format: Format,
    /// Width of the screen; None where there is none.
    pub width: Option<usize>,
    /// Rows at most.
    pub limit: Option<usize>,
}

/// What of the events is asked.
#[derive(Clone, Debug)]
pub enum View {
    /// They themselves.
    Events(Order),
    /// How many there are of each group.
    Groups {
        /// What they are grouped by.
        by: Vec<Field>,
        /// Which ones come first.
        first: Leading,
    },
    /// The answer to a statement of SQL.
    Sql(String),
}

/// Which groups come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leading {
    /// Those with the most events.
    #[default]
    Events,
    /// Those with the most unread bytes.
    Unread,
    /// Those that began first.
    First,
    /// Those that were there last.
    Last,
    /// By this one of their fields, those without it last.
    Field(usize),
}

/// Answers a question.
///
/// # Errors
/// When the store cannot be read, a statement is wrong, or the answer cannot be written.
pub fn answer(mut store: Store, query: &Query, out: &mut dyn Write) -> Result<()> {
    match &query.view {
        View::Events(order) => lines::print(&store, query, *order, out),
        View::Groups { by, first } => groups::print(&store, query, by, *first, out),
        View::Sql(text) => sql(&mut store, query, text, out),
    }
}

fn sql(store: &mut Store, query: &Query, text: &str, out: &mut dyn Write) -> Result<()> {
    let answer = store.sql(text)?;
    let mut printer = Printer::new(out, query.format, query.width, answer.names())?;
    let mut left = query.limit.unwrap_or(usize::MAX);
    answer.rows(|row| {
        if left > 0 {
            left -= 1;
            printer.row(row)?;
        }
        Ok(left > 0)
    })?;
    Ok(printer.finish()?)
}
