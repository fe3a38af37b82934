//! Which finding is meant.

use anyhow::{Context as _, Error, Result, bail};

use crate::{
    event::Event,
    source,
    store::{Name, Selection, Store},
};

/// Findings of the same name that are told.
const TOLD: usize = 5;

/// `SEQ`, `HOST/SEQ` or a reset id.
///
/// # Errors
/// What was expected.
pub fn name(text: &str) -> Result<Name, String> {
    if let Ok(id) = text.parse() {
        return Ok(Name::Reset(id));
    }
    let (host, seq) = match text.rsplit_once('/') {
        Some((host, seq)) => (Some(host.to_owned()), seq),
        None => (None, text),
    };
    match seq.parse() {
        Ok(seq) if host.as_deref() != Some("") => Ok(Name::Number { host, seq }),
        _ => Err("expected SEQ, HOST/SEQ, a tcp.reset_id of 16 digits, or - for an event on standard input".to_owned()),
    }
}

/// The finding of that name, and a note when there are others.
///
/// # Errors
/// When there is none.
pub fn finding(store: &Store, selection: &Selection, name: &Name) -> Result<(Event, Option<String>)> {
    let mut found = store.named(selection, name, TOLD + 1)?.into_iter();
    let Some(latest) = found.next() else {
        match name {
            Name::Number { host: Some(host), seq } => bail!("no finding of host {host} has the number {seq} here"),
            Name::Number { host: None, seq } => bail!("no finding has the number {seq} here"),
            Name::Reset(id) => bail!("no finding has the reset id {id} here"),
        }
    };
    let others: Vec<String> =
        found.map(|event| format!("{}/{} at {}", event.host.name, event.seq, event.time)).collect();
    let note = (!others.is_empty()).then(|| {
        let more = if others.len() >= TOLD { " and more" } else { "" };
        format!(
            "this is the latest of several, {}; there are {}{more}: name the host, or a time with --until",
            latest.time,
            others.join(", ")
        )
    });
    Ok((latest, note))
}

/// The event of a line.
///
/// # Errors
/// When it is none, or of another major version of the format.
pub fn event_of_line(line: &str) -> Result<Event> {
    source::parse(line.as_bytes())
        .map_err(Error::msg)
        .context("standard input has no event: expected a line of `conn-observer --format json`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_called_by_number_host_or_reset() {
        let number = |host: Option<&str>, seq| Ok(Name::Number { host: host.map(str::to_owned), seq });
        assert_eq!(name("17"), number(None, 17));
        assert_eq!(name("web-1/17"), number(Some("web-1"), 17));
        assert_eq!(name("a/b/17"), number(Some("a/b"), 17));
        assert_eq!(name("3F9DC626AF97D930"), Ok(Name::Reset(crate::event::ResetId(0x3f9d_c626_af97_d930))));
        for bad in ["", "x", "web-1/", "/17", "-1", "3f9dc626af97d93"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
