//! Comma-separated values, RFC 4180.

use std::borrow::Cow;

use super::{Cell, around};
use crate::clock;

/// A value; what is not known is empty.
pub(super) fn text(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Unknown => "".into(),
        Cell::Boolean(flag) => if *flag { "true" } else { "false" }.into(),
        Cell::Integer(number) | Cell::Change(number) => number.to_string().into(),
        Cell::Count(count) => count.to_string().into(),
        Cell::Real(number) | Cell::Rate(number) => number.to_string().into(),
        Cell::Time(time) => clock::wall_text(*time).into(),
        Cell::Around(time) => around(*time).into(),
        Cell::Text(text) => text.into(),
    }
}

/// Appends a line.
pub(super) fn line(values: impl Iterator<Item = impl AsRef<str>>, line: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            line.push(b',');
        }
        let value = value.as_ref();
        if value.contains(['"', ',', '\n', '\r']) {
            line.push(b'"');
            line.extend_from_slice(value.replace('"', "\"\"").as_bytes());
            line.push(b'"');
        } else {
            line.extend_from_slice(value.as_bytes());
        }
    }
    line.push(b'\n');
}
