//! Events as lines: JSON for programs, sentences for people.

use std::{fmt::Write as _, io::Write as _, sync::Arc};

use crate::{
    event::{Body, Event, Finding, Frame, Hint, Stack},
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
    write!(buffer, "{}Z ", moment(event))?;
    match &event.body {
        Body::Close(finding) | Body::ResetSent(finding) | Body::ResetReceived(finding) => {
            write!(buffer, "{} {}: {}", finding.severity, finding.cause, event.message())?;
            details(finding, buffer)
        }
        Body::Churn(churn) => {
            write!(buffer, "{} churn: {}", churn.severity, event.message())?;
            advice(churn.hint.as_ref(), buffer)
        }
        _ => write!(buffer, "{}", event.message()),
    }
}

/// When it was, to the millisecond: `2026-11-23 17:44:13.123`.
pub(crate) fn moment(event: &Event) -> String {
    let time = event.time.to_string();
    time.get(..23).unwrap_or(&time).replace('T', " ")
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
    place(finding, buffer)?;
    advice(finding.hint.as_ref(), buffer)
}

fn advice(hint: Option<&Hint>, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    match hint {
        Some(hint) => write!(buffer, "; hint: {} ({})", hint.advice, hint.reference),
        None => Ok(()),
    }
}

/// Functions that a line names at most.
const FUNCTIONS: usize = 5;

/// `; at innermost (file:line) < its caller < …`, from the first function on that is not the way into the kernel.
fn place(finding: &Finding, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(stack) = &finding.stack else { return Ok(()) };
    let mut separator = "; at ";
    for (frame, symbol) in functions(stack).take(FUNCTIONS) {
        write!(buffer, "{separator}{}", located(frame, symbol))?;
        separator = " < ";
    }
    Ok(())
}

/// The innermost function of the program.
pub(crate) fn innermost(stack: &Stack) -> Option<&Frame> {
    functions(stack).next().map(|(frame, _)| frame)
}

/// The same with its line, where they are known: `check (undrained.rs:53)`.
pub(crate) fn innermost_place(stack: &Stack) -> Option<String> {
    functions(stack).next().map(|(frame, symbol)| located(frame, symbol))
}

/// A function with the line in it, where that is known.
fn located(frame: &Frame, symbol: &str) -> String {
    let symbol = printable(symbol);
    let Some((file, line)) = frame.file.as_deref().zip(frame.line) else { return symbol };
    let name = file.rsplit('/').next().unwrap_or(file);
    format!("{symbol} ({}:{line})", printable(name))
}

/// What a frame is called: its function, or where it is in its file, or in memory.
pub(crate) fn function(frame: &Frame) -> String {
    let Frame { symbol, module, offset, address, .. } = frame;
    match (symbol, module, offset) {
        (Some(symbol), ..) => symbol.clone(),
        (None, Some(module), Some(offset)) => format!("{module}+{offset}"),
        (None, ..) => address.as_ref().or(module.as_ref()).cloned().unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// A frame as far as it is known: `check (/src/api.go:53)`, `close (libc.so.6)`, `libc.so.6+0x5a3`.
pub(crate) fn frame(frame: &Frame) -> String {
    let mut text = function(frame);
    // Writing to a string cannot fail.
    let _ = match (&frame.symbol, &frame.file, frame.line, &frame.module) {
        (Some(_), Some(file), Some(line), _) => write!(text, " ({file}:{line})"),
        (Some(_), _, _, Some(module)) => write!(text, " ({module})"),
        _ => Ok(()),
    };
    if frame.inlined == Some(true) {
        text.push_str(" (inlined)");
    }
    printable(&text)
}

/// The frames with functions, from the first on that is not the way into the kernel.
fn functions(stack: &Stack) -> impl Iterator<Item = (&Frame, &str)> {
    let known = stack.user.iter().map(Arc::as_ref).filter_map(|frame| Some((frame, frame.symbol.as_deref()?)));
    known.skip_while(|(_, symbol)| leads_into_kernel(symbol))
}

/// The C library's and Go's wrappers of system calls.
fn leads_into_kernel(symbol: &str) -> bool {
    let wrappers = ["syscall.", "runtime", "internal/", "__", "close", "shutdown"];
    wrappers.iter().any(|wrapper| symbol.starts_with(wrapper))
}

/// Without control characters: a file may name its functions anything.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { char::REPLACEMENT_CHARACTER } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cause::Cause, event::CauseSource};

    fn known(symbol: Option<&str>, line: Option<u32>) -> Frame {
        Frame { symbol: symbol.map(str::to_owned), file: line.map(|_| "/src/a.c".to_owned()), line, ..Frame::default() }
    }

    #[test]
    fn a_line_names_the_functions_from_the_first_of_the_program_on() {
        let user = [
            known(Some("__close"), None),
            known(None, None),
            known(Some("give_up"), Some(7)),
            known(Some("__retry\n"), None),
        ]
        .map(Arc::new);
        let stack = Some(Stack { user: user.into(), ..Stack::default() });
        let mut buffer = Vec::new();
        place(&Finding { stack, ..Finding::of(Cause::CloseUnread, CauseSource::Both) }, &mut buffer).unwrap();
        assert_eq!(String::from_utf8(buffer).unwrap(), "; at give_up (a.c:7) < __retry\u{fffd}");
    }

    #[test]
    fn a_frame_is_told_as_far_as_it_is_known() {
        let text = |text: &str| Some(text.to_owned());
        let address = Frame { address: text("0x7f00"), ..Frame::default() };
        let module = Frame { module: text("libc.so.6"), offset: text("0x5a3"), ..address.clone() };
        let symbol = Frame { symbol: text("close"), ..module.clone() };
        let line = Frame { file: text("/src/a.c"), line: Some(7), ..symbol.clone() };
        let inlined = Frame { inlined: Some(true), ..line.clone() };
        let told = [Frame::default(), address, module, symbol, line, inlined].map(|one| frame(&one));
        let expected = ["unknown", "0x7f00", "libc.so.6+0x5a3", "close (libc.so.6)", "close (/src/a.c:7)"];
        assert_eq!(told[..5], expected);
        assert_eq!(told[5], "close (/src/a.c:7) (inlined)");
    }
}
