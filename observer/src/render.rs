//! Events as lines: JSON for programs, sentences for people.

use std::io::Write as _;

use crate::{
    event::{Body, Event, Finding},
    options::Format,
};

/// Appends an event to a buffer of lines.
pub fn line(format: Format, event: &Event, buffer: &mut Vec<u8>) {
    // Writing to memory cannot fail, and a type with string keys serialises.
    let _ = match format {
        Format::Json => serde_json::to_writer(&mut *buffer, event).map_err(Into::into),
        Format::Text => text(event, buffer),
    };
    buffer.push(b'\n');
}

/// `2026-11-23 17:44:13.123Z cause: sentence; details`
fn text(event: &Event, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let time = event.time.get(..23).unwrap_or(&event.time);
    write!(buffer, "{}Z ", time.replace('T', " "))?;
    match &event.body {
        Body::Close(finding) | Body::ResetSent(finding) | Body::ResetReceived(finding) => {
            write!(buffer, "{} {}: {}", finding.severity, finding.cause, event.message)?;
            details(finding, buffer)
        }
        _ => write!(buffer, "{}", event.message),
    }
}

fn details(finding: &Finding, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let tcp = &finding.tcp;
    if let Some(duration) = tcp.duration_ms {
        write!(buffer, "; open for {duration} ms")?;
    }
    if let (Some(received), Some(sent)) = (tcp.received_bytes, tcp.sent_bytes) {
        write!(buffer, "; received {received}, sent {sent} bytes")?;
    }
    if let Some(reason) = &tcp.kernel_reason {
        write!(buffer, " [{reason}]")?;
    }
    Ok(())
}
