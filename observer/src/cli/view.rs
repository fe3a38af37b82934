//! What all views of recorded events share: how rows are written, and where to.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::table::Format;

/// Formats of rows.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum RowFormat {
    /// A table
    #[default]
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values
    Csv,
}

impl From<RowFormat> for Format {
    fn from(name: RowFormat) -> Self {
        match name {
            RowFormat::Table => Self::Table,
            RowFormat::Json => Self::Json,
            RowFormat::Csv => Self::Csv,
        }
    }
}

/// Width of the screen, where standard output is one.
pub(super) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// Writes to standard output. A reader that has seen enough is no error.
///
/// # Errors
/// Those of the view.
pub(super) fn shown(view: impl FnOnce(&mut dyn Write) -> Result<u8>) -> Result<u8> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let shown = view(&mut out).and_then(|status| {
        out.flush()?;
        Ok(status)
    });
    match shown {
        Err(error) if is_broken_pipe(&error) => {
            // What is left in the buffer would fail once more.
            let _ = out.into_parts();
            Ok(0)
        }
        shown => shown,
    }
}

/// The same for a text.
///
/// # Errors
/// When it cannot be written.
pub(super) fn shown_text(text: &str) -> Result<u8> {
    shown(|out| {
        out.write_all(text.as_bytes())?;
        Ok(0)
    })
    .context("cannot write to standard output")
}

/// Whether the reader of what was written is gone.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(shown(|_| Err(broken().into())).unwrap(), 0);
        assert_eq!(shown(|_| Err(broken()).context("cannot write")).unwrap(), 0);
        assert!(shown(|_| Err(io::Error::from(io::ErrorKind::StorageFull).into())).is_err());
        assert_eq!(shown(|_| Ok(1)).unwrap(), 1);
    }
}
