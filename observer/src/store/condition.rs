//! Conditions in SQL, with their values: nothing that is asked for becomes part of a statement.

use std::fmt::Write as _;

use rusqlite::ToSql;

/// Tables of single events.
pub(super) const EVENTS: &str = "event JOIN kind ON kind.id = event.kind JOIN session ON session.id = event.session \
    LEFT JOIN process ON process.id = event.process LEFT JOIN program ON program.id = process.program \
    LEFT JOIN actor ON actor.id = event.actor LEFT JOIN address AS peer ON peer.id = event.peer \
    LEFT JOIN stack ON stack.id = event.stack";

/// A condition, with its values.
pub(super) struct Condition {
    pub(super) text: String,
    pub(super) values: Vec<Box<dyn ToSql>>,
}

impl Condition {
    pub(super) fn new() -> Self {
        Self { text: "1".to_owned(), values: Vec::new() }
    }

    pub(super) fn and(&mut self, condition: &str) {
        let _ = write!(self.text, " AND {condition}");
    }

    pub(super) fn value(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.and(condition);
        self.values.push(Box::new(value));
    }

    /// Any of these values; no value selects nothing out.
    pub(super) fn any<T: ToSql + Clone + 'static>(&mut self, expression: &str, values: &[T]) {
        if values.is_empty() {
            return;
        }
        self.and(&format!("{expression} IN (?{})", ", ?".repeat(values.len() - 1)));
        self.take(values);
    }

    /// Any of these values in one place or the other; no value selects nothing out.
    pub(super) fn either<T: ToSql + Clone + 'static>(&mut self, one: &str, other: &str, values: &[T]) {
        if values.is_empty() {
            return;
        }
        let list = format!("(?{})", ", ?".repeat(values.len() - 1));
        self.and(&format!("({one} IN {list} OR {other} IN {list})"));
        for _ in 0..2 {
            self.take(values);
        }
    }

    fn take<T: ToSql + Clone + 'static>(&mut self, values: &[T]) {
        self.values.extend(values.iter().map(|value| Box::new(value.clone()) as Box<dyn ToSql>));
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(AsRef::as_ref).collect()
    }
}
