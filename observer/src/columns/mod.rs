//! Events as rows with fixed columns: of CSV and of Parquet. A column has the name of the event's field with `_` for `.`;
//! `docs/query.md` has them from here.

mod list;

use crate::{
    event::{Body, Cgroup, Container, Event, Finding, Hint, Kubernetes, Process, Stack, Systemd},
    render,
    table::Cell,
};

pub use list::COLUMNS;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Real,
    /// Yes or no.
    Boolean,
    /// A time, UTC with nanoseconds.
    Time,
}

impl Kind {
    /// As the documentation names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Real => "double",
            Self::Boolean => "boolean",
            Self::Time => "timestamp",
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What that means.
    pub about: &'static str,
    value: fn(&Event) -> Cell,
}

impl Column {
    /// Its value for an event.
    #[must_use]
    pub fn value(&self, event: &Event) -> Cell {
        (self.value)(event)
    }
}

fn finding(event: &Event) -> Option<&Finding> {
    event.body.finding()
}

/// The process that an event is about.
pub(crate) fn process(event: &Event) -> Option<&Process> {
    match &event.body {
        Body::Churn(churn) => Some(&churn.process),
        body => body.finding()?.process.as_deref(),
    }
}

fn cgroup(event: &Event) -> Option<&Cgroup> {
    match &event.body {
        Body::Churn(churn) => churn.cgroup.as_ref(),
        body => body.finding()?.cgroup.as_ref(),
    }
}

fn container(event: &Event) -> Option<&Container> {
    match &event.body {
        Body::Churn(churn) => churn.container.as_deref(),
        body => body.finding()?.container.as_deref(),
    }
}

fn systemd(event: &Event) -> Option<&Systemd> {
    match &event.body {
        Body::Churn(churn) => churn.systemd.as_deref(),
        body => body.finding()?.systemd.as_deref(),
    }
}

fn pod(event: &Event) -> Option<&Kubernetes> {
    match &event.body {
        Body::Churn(churn) => churn.k8s.as_deref(),
        body => body.finding()?.k8s.as_deref(),
    }
}

fn hint(event: &Event) -> Option<&Hint> {
    match &event.body {
        Body::Churn(churn) => churn.hint.as_ref(),
        body => body.finding()?.hint.as_ref(),
    }
}

/// The program's frames, innermost first, one a line: `function (file:line)` or `module+offset`.
fn frames(stack: &Stack) -> Option<String> {
    let mut text = String::new();
    for frame in stack.user.iter() {
        if !text.is_empty() {
            text.push('\n');
        }
        match (&frame.symbol, &frame.module, &frame.offset) {
            (Some(symbol), ..) => text.push_str(symbol),
            (None, Some(module), Some(offset)) => text.extend([module.as_str(), "+", offset]),
            _ => text.push_str(frame.address.as_deref().unwrap_or("?")),
        }
        if let (Some(file), Some(line)) = (&frame.file, frame.line) {
            text.extend([format!(" ({file}:{line})")]);
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

/// The line of code that an event is about.
pub(crate) fn place(event: &Event) -> Option<String> {
    render::innermost_place(finding(event)?.stack.as_ref()?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fixture::FLEET;

    #[test]
    fn a_value_is_of_its_columns_kind() {
        let mut known = HashSet::new();
        for line in FLEET.lines() {
            let event: Event = serde_json::from_str(line).unwrap();
            for column in COLUMNS {
                let fits = match (column.value(&event), column.kind) {
                    (Cell::Unknown, _) => continue,
                    (Cell::Text(text), Kind::Text) => !text.is_empty(),
                    (Cell::Integer(_), Kind::Integer) | (Cell::Real(_), Kind::Real) => true,
                    (Cell::Boolean(_), Kind::Boolean) => true,
                    (Cell::Time(time), Kind::Time) => time > 1_700_000_000_000_000_000,
                    _ => false,
                };
                assert!(fits, "{} of {line}", column.name);
                known.insert(column.name);
            }
        }
        assert!(known.len() > 40, "hardly any column has a value: {known:?}");
    }

    #[test]
    fn a_column_is_named_like_its_field() {
        let event: serde_json::Value = serde_json::from_str(FLEET.lines().nth(3).unwrap()).unwrap();
        let typed: Event = serde_json::from_value(event.clone()).unwrap();
        let mut same = 0;
        let names: HashSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), COLUMNS.len(), "a name is there twice");
        flat("", &event, &mut |name, value| {
            let Some(column) = COLUMNS.iter().find(|column| column.name == name) else { return };
            let told = column.value(&typed).json();
            if column.kind != Kind::Time && value.is_null() == told.is_null() && !value.is_array() {
                assert_eq!(told, *value, "{name}");
                same += 1;
            }
        });
        assert!(same > 30, "{same}");
    }

    fn flat(prefix: &str, value: &serde_json::Value, each: &mut dyn FnMut(&str, &serde_json::Value)) {
        match value.as_object() {
            Some(object) => {
                for (name, value) in object {
                    let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}_{name}") };
                    flat(&name, value, each);
                }
            }
            None => each(prefix, value),
        }
    }

    #[test]
    fn the_documentation_has_every_column() {
        let page = include_str!("../../../docs/query.md");
        for Column { name, kind, about, .. } in COLUMNS {
            let row = format!("| `{name}` | {} | {about} |", kind.name());
            assert!(page.contains(&row), "docs/query.md lacks: {row}");
        }
    }
}
