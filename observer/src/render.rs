//! Events as lines: JSON for programs, sentences for people.

use std::io::Write as _;

use crate::{
    event::{Body, Event, Finding},
    options::Format,
};

/// Appends an event to a buffer of lines.
pub fn line(format: Format, event: &Event, buffer: &mut Vec<u8>) {
    match format {
        Format::Json => {
            // A type with string keys and no foreign serialiser cannot fail to serialise into memory.
            let _ = serde_json::to_writer(&mut *buffer, event);
        }
        Format::Text => text(event, buffer),
    }
    buffer.push(b'\n');
}

fn text(event: &Event, buffer: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(buffer, "{} ", event.time.get(..23).unwrap_or(&event.time).replace('T', " "));
    let _ = match &event.body {
        Body::Started(started) => {
            write!(buffer, "observing with the {} plan on kernel {}", started.hooks.plan, started.kernel)
        }
        Body::Close(finding) | Body::ResetSent(finding) => sentence(finding, buffer),
        Body::Loss(loss) => {
            let count: u64 = loss.lost.iter().map(|lost| lost.count).sum();
            write!(
                buffer,
                "lost {count} findings in the {} ({} so far); try a larger --ring-size",
                loss.place, loss.total_lost
            )
        }
        Body::Stopped(stopped) => {
            write!(buffer, "stopped ({}): {} findings, {} lost", stopped.reason, stopped.received, stopped.lost)
        }
    };
}

fn sentence(finding: &Finding, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    write!(buffer, "{}: {}", finding.cause, finding.message)?;
    let tcp = &finding.tcp;
    if let Some(duration) = tcp.duration_ms {
        write!(buffer, "; open for {duration} ms")?;
    }
    if let (Some(received), Some(sent)) = (tcp.received_bytes, tcp.sent_bytes) {
        write!(buffer, ", received {received}, sent {sent} bytes")?;
    }
    if let Some(reason) = &tcp.kernel_reason {
        write!(buffer, " [{reason}]")?;
    }
    Ok(())
}
