//! An event as a message of RFC 5424: `<27>1 2026-11-24T08:46:25.029397Z vm conn-observer 42 close [conn-observer@32473
//! cause="close_unread" …] {"schema":…}`.

use syslog_fmt::{
    Facility, Severity,
    v5424::{Config, Msg, Timestamp},
};

use super::super::gist::{Gist, Level};
use crate::{clock::Time, event::Event, options};

/// Id of the structured data. The number is the one of examples (RFC 5612): there is none of this project.
const STRUCTURE: &str = "conn-observer@32473";

/// Writes messages.
pub(super) struct Messages {
    facility: Facility,
    process_id: String,
}

impl Messages {
    /// With this facility.
    pub(super) fn of(facility: options::Facility) -> Self {
        let facility = Facility::try_from(facility as u8).unwrap_or(Facility::Daemon);
        Self { facility, process_id: std::process::id().to_string() }
    }

    /// Replaces what is in `message`.
    ///
    /// The text has no byte order mark, though RFC 5424 §6.4 has one before UTF-8: RFC 8259 §8.1 forbids it in front of
    /// JSON, receivers (rsyslog) leave it in the text, and parsers of JSON stumble over it.
    pub(super) fn write(&self, event: &Event, line: &[u8], message: &mut Vec<u8>) {
        message.clear();
        let gist = Gist::of(event);
        let pid = gist.process.map(|process| process.pid.to_string());
        let comm = gist.process.map(|process| one_line(&process.comm));
        let seq = event.seq.to_string();
        let parameters = [
            ("seq", Some(seq.as_str())),
            ("cause", gist.cause),
            ("severity", gist.severity),
            ("pid", pid.as_deref()),
            ("comm", comm.as_deref()),
            ("peer", gist.peer.as_deref()),
        ];
        let known = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let host = visible(&event.host.name);
        let header = Config {
            facility: self.facility,
            hostname: Some(&host),
            app_name: Some("conn-observer"),
            proc_id: Some(&self.process_id),
        };
        let time = microseconds(event.time);
        // Writing to memory cannot fail.
        let _ = header.into_formatter().write_with_data(
            message,
            severity(gist.level),
            Timestamp::PreformattedStr(&time),
            Msg::NonUnicodeBytes(line),
            Some(event.body.name()),
            [(STRUCTURE, known.collect::<Vec<_>>())],
        );
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Err => Severity::Err,
        Level::Warning => Severity::Warning,
        Level::Notice => Severity::Notice,
        Level::Info => Severity::Info,
    }
}

/// RFC 5424 §6.2.3: six digits at most.
fn microseconds(time: Time) -> String {
    let text = time.to_string();
    // Of nine digits, the last of which is before the `Z`.
    text.get(..text.len() - 4).map_or_else(String::new, |start| format!("{start}Z"))
}

/// §6.2.4: visible ASCII, at most 255 characters; a host may be named anything.
fn visible(name: &str) -> String {
    let visible = name.chars().take(255).map(|one| if one.is_ascii_graphic() { one } else { '?' });
    if name.is_empty() { "-".to_owned() } else { visible.collect() }
}

/// A process may name itself anything; a message is one line to most receivers.
fn one_line(comm: &str) -> String {
    comm.chars().map(|one| if one.is_control() { char::REPLACEMENT_CHARACTER } else { one }).collect()
}
