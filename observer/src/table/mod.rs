//! Rows for people and for programs: an aligned table, JSON objects, or CSV. Rows go out as they come; only as many are
//! held as columns are measured by.

mod aligned;
mod comma;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde_json::Value;

use self::aligned::Aligned;
use crate::clock;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Not known.
    Unknown,
    /// Yes or no.
    Boolean(bool),
    /// A number that names something, such as a port.
    Integer(i64),
    /// How many.
    Count(u64),
    /// How many more, or less.
    Change(i64),
    /// A number with a fraction.
    Real(f64),
    /// The same, of which a table shows the first digits only.
    Rate(f64),
    /// Nanoseconds since 1970.
    Time(i64),
    /// The same where it may be known to the minute only.
    Around(i64),
    /// Text.
    Text(String),
}

impl Cell {
    /// Text that may be missing.
    #[must_use]
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.into()))
    }

    /// A number that may be missing.
    #[must_use]
    pub fn integer(number: Option<impl Into<i64>>) -> Self {
        number.map_or(Self::Unknown, |number| Self::Integer(number.into()))
    }

    /// The same for a number that may be too large, as no number of ours ever is.
    #[must_use]
    pub fn large(number: Option<u64>) -> Self {
        Self::integer(number.and_then(|number| i64::try_from(number).ok()))
    }

    /// A number with a fraction that may be missing.
    #[must_use]
    pub fn real(number: Option<f64>) -> Self {
        number.map_or(Self::Unknown, Self::Real)
    }

    /// The same of which the first digits count.
    #[must_use]
    pub fn rate(number: Option<f64>) -> Self {
        number.map_or(Self::Unknown, Self::Rate)
    }

    /// Yes, no, or not known.
    #[must_use]
    pub fn boolean(flag: Option<bool>) -> Self {
        flag.map_or(Self::Unknown, Self::Boolean)
    }

    /// As JSON has it.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Unknown => Value::Null,
            Self::Boolean(flag) => (*flag).into(),
            Self::Integer(number) | Self::Change(number) => (*number).into(),
            Self::Count(count) => (*count).into(),
            Self::Real(number) | Self::Rate(number) => (*number).into(),
            Self::Time(time) => clock::wall_text(*time).into(),
            Self::Around(time) => around(*time).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

/// RFC 3339 text of a time, without a fraction where there is none.
fn around(time: i64) -> String {
    let text = clock::wall_text(time);
    match text.strip_suffix(".000000000Z") {
        Some(whole) => format!("{whole}Z"),
        None => text,
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: columns that are aligned.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values (RFC 4180) with a line of names, lines ending as those of Unix do.
    Csv,
}

/// Writes rows.
pub struct Printer<'w> {
    out: &'w mut dyn Write,
    names: Vec<String>,
    form: Form,
    line: Vec<u8>,
}

enum Form {
    Table(Aligned),
    Json,
    Csv,
}

impl<'w> Printer<'w> {
    /// Rows of these columns. A table is cut to a width, if there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(
        out: &'w mut dyn Write,
        format: Format,
        width: Option<usize>,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> io::Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let mut line = Vec::new();
        let form = match format {
            Format::Table => Form::Table(Aligned::new(&names, width)),
            Format::Json => Form::Json,
            Format::Csv => {
                comma::line(names.iter().map(String::as_str), &mut line);
                out.write_all(&line)?;
                Form::Csv
            }
        };
        Ok(Self { out, names, form, line })
    }

    /// One more row: a cell for each column.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        self.line.clear();
        match &mut self.form {
            Form::Table(table) => return table.row(cells, self.out),
            Form::Json => {
                // In the order of the columns, which a map would not keep.
                for (index, (name, cell)) in self.names.iter().zip(cells).enumerate() {
                    self.line.push(if index == 0 { b'{' } else { b',' });
                    // Writing to memory cannot fail.
                    let _ = serde_json::to_writer(&mut self.line, name);
                    self.line.push(b':');
                    let _ = serde_json::to_writer(&mut self.line, &cell.json());
                }
                self.line.extend_from_slice(b"}\n");
            }
            Form::Csv => comma::line(cells.iter().map(comma::text), &mut self.line),
        }
        self.out.write_all(&self.line)
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        if let Form::Table(table) = &mut self.form {
            table.flush(self.out)?;
        }
        self.out.flush()
    }
}
