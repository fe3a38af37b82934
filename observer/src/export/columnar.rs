//! Parquet: the columns of [`COLUMNS`] with their types, and the whole event as JSON, in row groups that fit into memory.

use std::{io::Write, sync::Arc};

use anyhow::{Context as _, Result};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::{
    columns::{COLUMNS, Column, Kind},
    event::{Event, SCHEMA},
    options, render,
    table::Cell,
};

/// The column with the whole event, so that nothing is left out.
pub(super) const EVENT: &str = "event";

/// Rows of a group at most.
pub(super) const ROWS: usize = 65_536;

/// Bytes of text in a group at most.
const BYTES: usize = 64 << 20;

/// A file on its way.
pub(super) struct Columnar<'w> {
    file: SerializedFileWriter<&'w mut (dyn Write + Send)>,
    columns: Vec<Values>,
    events: Values,
    /// Rows of a group at most.
    most: usize,
    rows: usize,
    bytes: usize,
    line: Vec<u8>,
}

impl<'w> Columnar<'w> {
    pub(super) fn begin(out: &'w mut (dyn Write + Send), most: usize) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(format!("conn-observer {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(vec![KeyValue::new("schema".to_owned(), SCHEMA.to_owned())]))
            .build();
        let file = SerializedFileWriter::new(out, schema()?, Arc::new(properties))?;
        let columns = COLUMNS.iter().map(|column| Values::of(column.kind)).collect();
        Ok(Self { file, columns, events: Values::of(Kind::Text), most, rows: 0, bytes: 0, line: Vec::new() })
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<()> {
        for (column, values) in COLUMNS.iter().zip(&mut self.columns) {
            self.bytes += values.push(column.value(event));
        }
        self.line.clear();
        render::line(options::Format::Json, event, &mut self.line);
        let text = String::from_utf8_lossy(self.line.trim_ascii_end()).into_owned();
        self.bytes += self.events.push(Cell::Text(text));
        self.rows += 1;
        if self.rows == self.most || self.bytes >= BYTES { self.group() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.group()?;
        }
        self.file.finish()?;
        Ok(())
    }

    fn group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for values in self.columns.iter_mut().chain([&mut self.events]) {
            let mut column = group.next_column()?.context("a column more than the file has")?;
            values.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

fn schema() -> Result<TypePtr> {
    let mut fields = COLUMNS.iter().map(|Column { name, kind, .. }| field(name, *kind)).collect::<Result<Vec<_>>>()?;
    fields.push(field(EVENT, Kind::Text)?);
    Ok(Arc::new(Type::group_type_builder("event").with_fields(fields).build()?))
}

/// Each may be missing, as every value may be unknown.
fn field(name: &str, kind: Kind) -> Result<TypePtr> {
    let (physical, logical) = match kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Boolean => (Physical::BOOLEAN, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS))),
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

/// The values of a column in a row group.
struct Values {
    known: Known,
    /// For each row whether there is a value.
    levels: Vec<i16>,
}

enum Known {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Boolean(Vec<bool>),
}

impl Values {
    fn of(kind: Kind) -> Self {
        let known = match kind {
            Kind::Text => Known::Text(Vec::new()),
            Kind::Integer | Kind::Time => Known::Integer(Vec::new()),
            Kind::Real => Known::Real(Vec::new()),
            Kind::Boolean => Known::Boolean(Vec::new()),
        };
        Self { known, levels: Vec::new() }
    }

    /// Adds a value; how many bytes of text it has.
    fn push(&mut self, cell: Cell) -> usize {
        let mut bytes = 0;
        let known = match (&mut self.known, cell) {
            (Known::Text(values), Cell::Text(text)) => {
                bytes = text.len();
                values.push(text.into_bytes().into());
                true
            }
            (Known::Integer(values), Cell::Integer(value) | Cell::Time(value)) => {
                values.push(value);
                true
            }
            (Known::Real(values), Cell::Real(value)) => {
                values.push(value);
                true
            }
            (Known::Boolean(values), Cell::Boolean(value)) => {
                values.push(value);
                true
            }
            _ => false,
        };
        self.levels.push(known.into());
        bytes
    }

    /// Writes them, and forgets them.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let levels = Some(self.levels.as_slice());
        match &mut self.known {
            Known::Text(values) => {
                column.typed::<ByteArrayType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Known::Integer(values) => {
                column.typed::<Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Known::Real(values) => {
                column.typed::<DoubleType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Known::Boolean(values) => {
                column.typed::<BoolType>().write_batch(values, levels, None)?;
                values.clear();
            }
        }
        self.levels.clear();
        Ok(())
    }
}
