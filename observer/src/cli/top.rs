//! The arguments of `top`.

use anyhow::Result;
use clap::Args;

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments, instant},
};
use crate::top::{self, Request};

/// The arguments of `top`.
#[derive(Debug, Args)]
pub(super) struct TopArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Begin at this time, with the time stopped: -10min, 03:12; UTC
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = instant)]
    at: Option<i64>,
}

impl TopArguments {
    /// What is to be done.
    ///
    /// # Errors
    /// As [`SelectionArguments::selection`].
    pub(super) fn task(self) -> Result<Task> {
        let request = Request { paths: self.source.paths(), selection: self.selection.selection()?, at: self.at };
        Ok(Task::Look(Look(Box::new(move || top::run(request)))))
    }
}
