//! `explain`: options, and what it prints.

use std::io::{self, BufRead as _};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments},
    values::FormatName,
    view::shown_text,
};
use crate::{
    diagnose::diagnose,
    explain::{self, Story},
    options::Format,
    store::Name,
};

/// Options of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The finding: SEQ, HOST/SEQ, its `tcp.reset_id`, or `-` for an event line on standard input
    #[arg(value_name = "EVENT", value_parser = which)]
    event: Which,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Format of the story
    #[arg(long, value_enum, default_value = "text")]
    format: FormatName,
}

/// Which finding.
#[derive(Clone, Debug)]
enum Which {
    Input,
    Named(Name),
}

fn which(text: &str) -> Result<Which, String> {
    if text == "-" { Ok(Which::Input) } else { explain::name(text).map(Which::Named) }
}

impl ExplainArguments {
    /// What is to be done.
    pub(super) fn task(self) -> Result<Task> {
        let selection = self.selection.selection()?;
        let paths = self.source.paths();
        if matches!(self.event, Which::Input) && paths.iter().any(|path| path.as_os_str() == "-") {
            bail!("standard input cannot be both the event and the events: name a file or a store for these");
        }
        let format = Format::from(self.format);
        Ok(Task::Look(Look(Box::new(move || {
            let story = match self.event {
                Which::Input => {
                    let mut line = String::new();
                    io::stdin().lock().read_line(&mut line).context("cannot read standard input")?;
                    let event = explain::event_of_line(&line)?;
                    let store = if paths.is_empty() { None } else { Some(self.source.open()?) };
                    Story::of(event, store.as_ref())?
                }
                Which::Named(name) => {
                    let store = self.source.open()?;
                    let (event, note) = explain::finding(&store, &selection, &name)?;
                    if let Some(note) = note {
                        diagnose(format_args!("{note}"));
                    }
                    Story::of(event, Some(&store))?
                }
            };
            let text = match format {
                Format::Text => story.text(),
                Format::Json => story.json()?,
            };
            shown_text(&text)
        }))))
    }
}
