//! `report`: options, and the file that it writes.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments},
    view::shown_text,
};
use crate::{
    clock,
    report::{self, Origin},
};

/// Options of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Write the page to this file; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl ReportArguments {
    /// What is to be done.
    pub(super) fn task(self) -> Result<Task> {
        let selection = self.selection.selection()?;
        Ok(Task::Look(Look(Box::new(move || {
            let asked: Vec<String> = std::env::args().skip(1).collect();
            let nonce = report::nonce().context("cannot read /dev/urandom")?;
            let origin = Origin { asked: asked.join(" "), now: clock::present(), nonce };
            let page = report::page(&self.source.open()?, &selection, &origin)?;
            if self.output.as_os_str() == "-" {
                return shown_text(&page);
            }
            fs::write(&self.output, page).with_context(|| format!("cannot write {}", self.output.display()))?;
            Ok(0)
        }))))
    }
}
