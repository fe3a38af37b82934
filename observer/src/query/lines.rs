//! The events themselves: JSON as the live stream had it, columns for spreadsheets, or what one looks at first.

use std::io::Write;

use anyhow::Result;

use super::Query;
use crate::{
    columns::{self, COLUMNS},
    event::{Body, Event},
    message::end,
    options, render,
    store::{Order, Store},
    table::{Cell, Format, Printer},
};

/// Columns of the table.
const NAMES: [&str; 8] = ["time", "severity", "cause", "process", "local", "peer", "unread", "place"];

pub(super) fn print(store: &Store, query: &Query, order: Order, out: &mut dyn Write) -> Result<()> {
    match query.format {
        Format::Json => {
            let mut line = Vec::new();
            each(store, query, order, |event| {
                line.clear();
                render::line(options::Format::Json, &event, &mut line);
                Ok(out.write_all(&line)?)
            })?;
            Ok(out.flush()?)
        }
        Format::Csv => {
            let names = COLUMNS.iter().map(|column| column.name);
            let mut printer = Printer::new(out, query.format, None, names)?;
            each(store, query, order, |event| {
                let cells: Vec<Cell> = COLUMNS.iter().map(|column| column.value(&event)).collect();
                Ok(printer.row(&cells)?)
            })?;
            Ok(printer.finish()?)
        }
        Format::Table => {
            let mut printer = Printer::new(out, query.format, query.width, NAMES)?;
            each(store, query, order, |event| Ok(printer.row(&row(&event))?))?;
            Ok(printer.finish()?)
        }
    }
}

fn each(store: &Store, query: &Query, order: Order, mut take: impl FnMut(Event) -> Result<()>) -> Result<()> {
    let mut left = query.limit.unwrap_or(usize::MAX);
    store.sorted(&query.selection, order, |event| {
        if left > 0 {
            left -= 1;
            take(event)?;
        }
        Ok(left > 0)
    })
}

/// What of an event is looked at first. An event without a cause has its type and its sentence instead.
fn row(event: &Event) -> [Cell; NAMES.len()] {
    let column = |name: &str| {
        COLUMNS.iter().find(|column| column.name == name).map_or(Cell::Unknown, |column| column.value(event))
    };
    let process = columns::process(event).map(|process| format!("{}[{}]", process.comm, process.pid));
    let (local, peer) = ends(event);
    let (cause, place) = match event.body.finding() {
        Some(finding) => (finding.cause.name(), Cell::text(columns::place(event))),
        None => (event.body.name(), Cell::Text(event.message().to_string())),
    };
    let unread = event.body.finding().and_then(|finding| finding.tcp.unread_bytes);
    [
        column("time"),
        column("severity"),
        Cell::Text(cause.to_owned()),
        Cell::text(process),
        local,
        peer,
        unread.map_or(Cell::Unknown, |unread| Cell::Count(unread.into())),
        place,
    ]
}

/// Both ends of a connection; the other one by its name where it has one.
fn ends(event: &Event) -> (Cell, Cell) {
    if let Body::Churn(churn) = &event.body {
        let peer = &churn.network.peer;
        let name = peer.called();
        let peer = peer.port.map_or_else(|| name.to_string(), |port| end(&name, port));
        return (Cell::Unknown, Cell::Text(peer));
    }
    match event.body.finding().and_then(|finding| finding.network.as_ref()) {
        Some(network) => {
            (Cell::Text(network.local.socket().to_string()), Cell::Text(end(&network.peer.called(), network.peer.port)))
        }
        None => (Cell::Unknown, Cell::Unknown),
    }
}
