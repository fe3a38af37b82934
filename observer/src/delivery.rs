//! Events that go out together: complete, shared by all ways out, rendered once.

use std::sync::{Arc, OnceLock};

use crate::{event::Event, options::Format, render};

/// Completed events, in their order.
#[derive(Debug, Default)]
pub struct Delivery {
    events: Vec<Event>,
    json: OnceLock<Lines>,
}

/// What a finding takes as a line, about.
pub const EVENT_BYTES: usize = 1 << 10;

/// Bytes of a line, as a rule at most.
const LINE: usize = 4 << 10;

/// Events as lines.
#[derive(Debug, Default)]
pub struct Lines {
    text: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl Delivery {
    /// Of these events.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, json: OnceLock::new() }
    }

    /// Of the events of others, one after the other.
    #[must_use]
    pub fn joined(parts: &[Arc<Self>]) -> Self {
        Self::new(parts.iter().flat_map(|part| part.events.iter().cloned()).collect())
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Bytes of the events as lines, about: those who only queue them need not render them.
    #[must_use]
    pub fn weight(&self) -> u64 {
        (self.events.len() * EVENT_BYTES) as u64
    }

    /// The events as JSON, an object a line. Rendered by whoever asks first.
    pub fn json(&self) -> &Lines {
        self.json.get_or_init(|| Lines::of(Format::Json, &self.events))
    }

    /// The events as sentences.
    #[must_use]
    pub fn sentences(&self) -> Lines {
        Lines::of(Format::Text, &self.events)
    }
}

impl Lines {
    fn of(format: Format, events: &[Event]) -> Self {
        let mut lines = Self { text: Vec::with_capacity(LINE), ends: Vec::with_capacity(events.len()) };
        for event in events {
            render::line(format, event, &mut lines.text);
            if lines.ends.is_empty() {
                // The others are about as long: most are of one flood.
                lines.text.reserve(lines.text.len().min(LINE) * (events.len() - 1));
            }
            lines.ends.push(lines.text.len());
        }
        lines
    }

    /// The lines from a position on, each with its line feed.
    #[must_use]
    pub fn from(&self, position: usize) -> &[u8] {
        &self.text[self.begin(position).min(self.text.len())..]
    }

    /// One line, without its line feed.
    #[must_use]
    pub fn line(&self, position: usize) -> &[u8] {
        let end = self.ends.get(position).map_or(0, |end| end - 1);
        self.text.get(self.begin(position)..end).unwrap_or_default()
    }

    /// How many of the lines from a position on fit into so many bytes.
    #[must_use]
    pub fn fitting(&self, position: usize, bytes: usize) -> usize {
        let limit = self.begin(position).saturating_add(bytes);
        self.ends.partition_point(|end| *end <= limit).saturating_sub(position)
    }

    /// Bytes of all lines.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Where a line begins.
    #[must_use]
    pub fn begin(&self, position: usize) -> usize {
        position.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(match position {
            0 => 0,
            _ => self.text.len(),
        })
    }
}
