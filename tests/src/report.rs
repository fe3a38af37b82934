//! All that an observer has said, for counting.

use crate::event::Event;
use crate::netns::Netns;

/// Everything an observer said.
pub struct Report {
    pub(crate) events: Vec<Event>,
}

impl Report {
    /// All lines, `started` to `stopped`.
    pub fn lines(&self) -> &[Event] {
        &self.events
    }

    /// Events about connections.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.is_about_connection())
    }

    /// Lines of this type.
    pub fn of_kind(&self, kind: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.kind() == kind).collect()
    }

    /// How many events have this cause.
    pub fn count(&self, cause: &str) -> u64 {
        self.events().filter(|event| event.cause() == cause).count() as u64
    }

    /// The last line.
    pub fn stopped(&self) -> &Event {
        self.events.last().expect("not empty")
    }

    /// A field of `stopped.totals` for one namespace and cause; 0 without such a row.
    pub fn total(&self, namespace: &Netns, cause: &str, field: &str) -> u64 {
        let rows = self.stopped().at("totals").as_array().expect("totals");
        let ours = rows.iter().filter(|row| row["namespace"] == namespace.inode() && row["cause"] == cause);
        ours.map(|row| row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))).sum()
    }

    /// The same over all causes.
    pub fn sum(&self, namespace: &Netns, field: &str) -> u64 {
        let rows = self.stopped().at("totals").as_array().expect("totals");
        let ours = rows.iter().filter(|row| row["namespace"] == namespace.inode());
        ours.map(|row| row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))).sum()
    }
}
