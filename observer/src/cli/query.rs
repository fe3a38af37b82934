//! The arguments of `query`.

use anyhow::{Result, bail};
use clap::Args;

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments, field},
    view::{RowFormat, shown, width},
};
use crate::{
    query::{self, Leading, Query, View},
    store::{Field, Order, Selection},
};

/// The arguments of `query`.
#[derive(Debug, Args)]
pub(super) struct QueryArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Count the events by these fields, separated by commas: process, pid, thread, executable, runtime, user, unit,
    /// container, pod, host, type, cause, severity, reason, state, role, peer, address, port, namespace, stack, advice,
    /// minute, hour, day
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = field, help_heading = "Answer")]
    group_by: Vec<Field>,
    /// What comes first: events (most of them, the default with --group-by), unread (most bytes), first, last, or a
    /// field. Events themselves come as they happened; last turns that around
    #[arg(long, value_name = "WHAT", value_parser = sort, help_heading = "Answer")]
    sort: Option<Sort>,
    /// So many rows at most
    #[arg(long, value_name = "N", help_heading = "Answer")]
    limit: Option<usize>,
    /// How rows are written: table, json (one object a line; events as they were printed live) or csv
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Answer"
    )]
    format: RowFormat,
    /// Ask in SQL: one statement that reads. The tables are those of the store, told in docs/store.md
    #[arg(long, value_name = "STATEMENT", help_heading = "Answer",
          conflicts_with_all = ["group_by", "sort"])]
    sql: Option<String>,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Events,
    Unread,
    First,
    Last,
    Field(Field),
}

impl QueryArguments {
    /// The question.
    ///
    /// # Errors
    /// When options contradict each other.
    pub(super) fn task(self) -> Result<Task> {
        let selection = self.selection.selection()?;
        if self.sql.is_some() && selection != Selection::default() {
            bail!("--sql asks for itself: its WHERE takes the place of filters");
        }
        let view = match (self.sql, self.group_by) {
            (Some(text), _) => View::Sql(text),
            (None, by) if by.is_empty() => View::Events(order(self.sort)?),
            (None, by) => View::Groups { first: leading(self.sort, &by)?, by },
        };
        let query = Query { selection, view, format: self.format.into(), width: width(), limit: self.limit };
        let source = self.source;
        Ok(Task::Look(Look(Box::new(move || {
            let store = source.open()?;
            shown(|out| query::answer(store, &query, out).map(|()| 0))
        }))))
    }
}

fn order(sort: Option<Sort>) -> Result<Order> {
    Ok(match sort {
        None | Some(Sort::First) => Order::Oldest,
        Some(Sort::Last) => Order::Latest,
        Some(Sort::Unread) => Order::Unread,
        Some(Sort::Field(field)) => Order::Field(field),
        Some(Sort::Events) => bail!("--sort events is about counts: name what to count by with --group-by"),
    })
}

fn leading(sort: Option<Sort>, by: &[Field]) -> Result<Leading> {
    Ok(match sort {
        None | Some(Sort::Events) => Leading::Events,
        Some(Sort::Unread) => Leading::Unread,
        Some(Sort::First) => Leading::First,
        Some(Sort::Last) => Leading::Last,
        Some(Sort::Field(field)) => match by.iter().position(|one| *one == field) {
            Some(index) => Leading::Field(index),
            None => bail!("--sort {0} sorts by a field that is not shown: name {0} in --group-by, too", field.name()),
        },
    })
}

fn sort(text: &str) -> Result<Sort, String> {
    Ok(match text {
        "events" => Sort::Events,
        "unread" => Sort::Unread,
        "first" => Sort::First,
        "last" => Sort::Last,
        _ => Sort::Field(field(text).map_err(|error| format!("neither events, unread, first nor last: {error}"))?),
    })
}
