//! The arguments of `export`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments},
    view::is_broken_pipe,
};
use crate::export::{self, Format};

/// The arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// What to write: parquet (typed columns, and the whole event as JSON), ndjson (the events as they were printed live) or
    /// csv (the columns)
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true, help_heading = "Output")]
    format: FormatName,
    /// Where to; `-` for standard output. A file that is there is replaced once the new one is whole
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    /// Apache Parquet
    Parquet,
    /// JSON lines
    Ndjson,
    /// Comma-separated values
    Csv,
}

impl ExportArguments {
    /// The export.
    ///
    /// # Errors
    /// When options contradict each other.
    pub(super) fn task(self) -> Result<Task> {
        let selection = self.selection.of_everything()?;
        let format = match self.format {
            FormatName::Parquet => Format::Parquet,
            FormatName::Ndjson => Format::Ndjson,
            FormatName::Csv => Format::Csv,
        };
        let (source, output) = (self.source, self.output);
        Ok(Task::Look(Look(Box::new(move || {
            if source.paths().iter().any(|path| is_same(path, &output)) {
                bail!("-o {} is what is read: name another file", output.display());
            }
            match export::write_file(&source.open()?, &selection, format, &output) {
                Err(error) if !is_broken_pipe(&error) => Err(error),
                _ => Ok(0),
            }
        }))))
    }
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
