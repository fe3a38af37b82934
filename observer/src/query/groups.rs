//! How many events there are of each group.

use std::{cmp::Ordering, io::Write};

use anyhow::Result;

use super::{Leading, Query};
use crate::{
    store::{Field, Group, Store},
    table::{Cell, Printer},
};

pub(super) fn print(store: &Store, query: &Query, by: &[Field], first: Leading, out: &mut dyn Write) -> Result<()> {
    store.sum(&query.selection)?;
    let mut groups = store.groups(&query.selection, by)?;
    groups.sort_by(|a, b| leading(first, a, b).then_with(|| a.values.cmp(&b.values)));
    groups.truncate(query.limit.unwrap_or(usize::MAX));
    let names = by.iter().map(|field| field.name()).chain(["events", "unread_bytes", "first", "last"]);
    let mut printer = Printer::new(out, query.format, query.width, names)?;
    for group in groups {
        let mut cells: Vec<Cell> = by.iter().zip(&group.values).map(|(field, value)| cell(*field, value)).collect();
        cells.extend([
            Cell::Count(group.events),
            Cell::Count(group.unread_bytes),
            Cell::Around(group.first),
            Cell::Around(group.last),
        ]);
        printer.row(&cells)?;
    }
    Ok(printer.finish()?)
}

/// Which of two comes first.
fn leading(first: Leading, a: &Group, b: &Group) -> Ordering {
    match first {
        Leading::Events => b.events.cmp(&a.events),
        Leading::Unread => b.unread_bytes.cmp(&a.unread_bytes),
        Leading::First => a.first.cmp(&b.first),
        Leading::Last => b.last.cmp(&a.last),
        Leading::Field(index) => {
            let of = |group: &Group| group.values.get(index).cloned().flatten();
            let number = |value: &Option<String>| value.as_ref().and_then(|value| value.parse::<u64>().ok());
            let (a, b) = (of(a), of(b));
            // Those without it last.
            a.is_none().cmp(&b.is_none()).then_with(|| number(&a).cmp(&number(&b))).then_with(|| a.cmp(&b))
        }
    }
}

/// A value of a field: a number where all its values are numbers.
pub(crate) fn cell(field: Field, value: &Option<String>) -> Cell {
    let Some(text) = value else { return Cell::Unknown };
    match (field, text.parse()) {
        (Field::Pid | Field::Port | Field::Namespace, Ok(number)) => Cell::Integer(number),
        _ => Cell::Text(text.clone()),
    }
}
