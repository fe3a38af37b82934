//! `export`: events into a file for other engines. The file is there whole or not at all: it is written beside its place
//! and moved there at the end.

mod columnar;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::columnar::{Columnar, ROWS};
use crate::{
    columns::COLUMNS,
    options, render,
    store::{Selection, Store},
    table::{self, Cell, Printer},
};

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// JSON lines, as they were printed live.
    Ndjson,
    /// Comma-separated values.
    Csv,
}

/// Writes the selected events by time; how many.
///
/// # Errors
/// When they cannot be read or written.
pub fn write(store: &Store, selection: &Selection, format: Format, out: &mut (dyn Write + Send)) -> Result<u64> {
    let mut count = 0;
    match format {
        Format::Parquet => {
            let mut file = Columnar::begin(out, ROWS)?;
            store.events(selection, |event| {
                count += 1;
                file.event(&event).map(|()| true)
            })?;
            file.finish()?;
        }
        Format::Ndjson => {
            let mut line = Vec::new();
            store.events(selection, |event| {
                count += 1;
                line.clear();
                render::line(options::Format::Json, &event, &mut line);
                out.write_all(&line)?;
                Ok(true)
            })?;
        }
        Format::Csv => {
            let out: &mut dyn Write = out;
            let names = COLUMNS.iter().map(|column| column.name);
            let mut printer = Printer::new(out, table::Format::Csv, None, names)?;
            store.events(selection, |event| {
                count += 1;
                let cells: Vec<Cell> = COLUMNS.iter().map(|column| column.value(&event)).collect();
                printer.row(&cells)?;
                Ok(true)
            })?;
            printer.finish()?;
        }
    }
    out.flush()?;
    Ok(count)
}

/// Writes them into a file, `-` for standard output.
///
/// # Errors
/// As [`write()`]; then the file is as it was before.
pub fn write_file(store: &Store, selection: &Selection, format: Format, path: &Path) -> Result<u64> {
    let writing = || format!("cannot write {}", path.display());
    if path.as_os_str() == "-" {
        return write(store, selection, format, &mut BufWriter::new(io::stdout()));
    }
    let target = Target::of(path).with_context(writing)?;
    let mut out = BufWriter::new(File::create(target.written()).with_context(writing)?);
    let written = write(store, selection, format, &mut out)
        .and_then(|count| target.complete(out.into_inner().map_err(io::IntoInnerError::into_error)?).map(|()| count));
    if written.is_err() {
        target.abandon();
    }
    written.with_context(writing)
}

/// A file that is to be there.
struct Target {
    path: PathBuf,
    /// Where it is written until it is whole; None where that cannot be, as for a pipe.
    beside: Option<PathBuf>,
}

impl Target {
    fn of(path: &Path) -> Result<Self> {
        // What a link names is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&path) {
            Ok(there) if there.is_dir() => bail!("it is a folder: name a file in it"),
            Ok(there) if !there.is_file() => return Ok(Self { path, beside: None }),
            _ => {}
        }
        let mut name: OsString = path.as_os_str().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        Ok(Self { path, beside: Some(name.into()) })
    }

    fn written(&self) -> &Path {
        self.beside.as_deref().unwrap_or(&self.path)
    }

    fn complete(&self, file: File) -> Result<()> {
        let Some(beside) = &self.beside else { return Ok(()) };
        file.sync_all()?;
        Ok(fs::rename(beside, &self.path)?)
    }

    fn abandon(&self) {
        if let Some(beside) = &self.beside {
            // It may not have been made.
            let _ = fs::remove_file(beside);
        }
    }
}
