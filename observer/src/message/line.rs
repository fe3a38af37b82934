//! An event as a line: JSON, with a sentence that is made while it is written.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt::{Display, Formatter, Write as _},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Sentence;
use crate::{
    clock::Time,
    event::{Body, Event, Host},
};

/// The fields of an event, in their order.
#[derive(Serialize)]
struct Written<'a> {
    schema: &'a str,
    seq: u64,
    time: Time,
    message: Message<'a>,
    host: &'a Host,
    #[serde(flatten)]
    body: &'a Body,
}

/// The same, read.
#[derive(Deserialize)]
struct Read {
    schema: Cow<'static, str>,
    seq: u64,
    time: Time,
    message: String,
    host: Host,
    #[serde(flatten)]
    body: Body,
}

/// An event as a sentence.
pub struct Message<'a>(&'a Event);

impl Event {
    /// The event as a sentence: as it was recorded, or else as it is told now.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message(self)
    }
}

impl Display for Message<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.0.message {
            Some(recorded) => formatter.write_str(recorded),
            None => Sentence(&self.0.body).fmt(formatter),
        }
    }
}

thread_local! {
    /// A sentence, while it is serialised: it is escaped in one piece, not in the dozens that it is made of.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(recorded) = &self.0.message {
            return serializer.serialize_str(recorded);
        }
        TEXT.with_borrow_mut(|text| {
            text.clear();
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", Sentence(&self.0.body));
            serializer.serialize_str(text)
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { schema, seq, time, message: _, host, body } = self;
        Written { schema, seq: *seq, time: *time, message: self.message(), host, body }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Read { schema, seq, time, message, host, body } = Read::deserialize(deserializer)?;
        // As a rule it is what would be told now.
        let message = (message != Sentence(&body).to_string()).then(|| message.into());
        Ok(Self { schema, seq, time, message, host, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cause::Cause,
        event::{CauseSource, Finding},
    };

    #[test]
    fn a_sentence_is_made_when_it_is_asked_for_and_another_one_is_kept() {
        let body = Body::Close(Finding::of(Cause::Clean, CauseSource::Predicted));
        let host = Host { name: "node-7".into() };
        let event = Event { schema: "s/1".into(), seq: 7, time: Time::of(0), message: None, host, body };
        let line = serde_json::to_string(&event).unwrap();
        let start = r#"{"schema":"s/1","seq":7,"time":"1970-01-01T00:00:00.000000000Z","message":"an unknown process closed an unknown connection in order","host":{"name":"node-7"},"type":"close","cause":"clean""#;
        assert!(line.starts_with(start), "{line}");
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        let other = line.replace("in order", "as it should");
        let read: Event = serde_json::from_str(&other).unwrap();
        assert_eq!(read.message().to_string(), "an unknown process closed an unknown connection as it should");
        assert_eq!(serde_json::to_string(&read).unwrap(), other, "what was recorded is told as it was");
        assert!(serde_json::from_str::<Event>(&line.replace(r#""message""#, r#""massage""#)).is_err());
    }
}
