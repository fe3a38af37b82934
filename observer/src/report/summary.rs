//! What happened, in sentences.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    html::{Safe, fill},
    incident::{Chief, Incident},
    trust::Trust,
    words,
};
use crate::{
    cause::Cause,
    explain::why,
    message::{counted, thousands},
};

/// The title of the page.
pub(super) fn title(incident: &Incident) -> String {
    format!("Badly closed connections, {}", period(incident))
}

/// `2026-11-26 03:10 to 03:25 UTC`
fn period(incident: &Incident) -> String {
    let (since, until) = (words::minute(incident.since), words::minute(incident.until));
    let until = if since.get(..10) == until.get(..10) { until.get(11..).unwrap_or_default() } else { &until };
    format!("{since} to {until} UTC")
}

/// The paragraphs at the top.
pub(super) fn sentences(incident: &Incident, trust: &Trust) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "<p class=\"lead\">{}</p>", Safe(&said(incident)));
    if let Some(first) = incident.chief.first() {
        let cause = first.pair().cause;
        let _ = write!(text, "<p>Most likely cause: <a href=\"#causes\"><code>{}</code></a>", Safe(cause));
        if let Some(place) = &first.place {
            let _ = write!(text, ", at <code>{}</code>", Safe(place));
        }
        let _ = write!(text, ". What to do: {}</p>", Safe(&first.advice));
    }
    if trust.doubts() > 0 {
        let note = if trust.doubts() == 1 { "one thing is" } else { "some things are" };
        let _ = write!(text, "<p class=\"note\">Of this time {note} not known: <a href=\"#trust\">see below</a>.</p>");
    }
    text
}

/// The sentence that sums it up.
fn said(incident: &Incident) -> String {
    let period = period(incident).replace(" to ", " and ");
    if incident.total == 0 {
        return format!("Between {period} there was no finding.");
    }
    let hosts = match &incident.hosts[..] {
        [] => String::new(),
        [one] => format!(" on host {one}"),
        many => format!(" on {} hosts", many.len()),
    };
    let mut text = format!("Between {period}, {}{hosts}", counted(incident.total, "finding"));
    let chief: Vec<String> = incident.chief.iter().map(sentence).collect();
    if let Some((last, others)) = chief.split_last() {
        text.push_str(": ");
        text.push_str(&others.join("; "));
        text.push_str(if others.is_empty() { "" } else { "; and " });
        text.push_str(last);
    }
    let told: u64 = incident.chief.iter().map(|chief| chief.events()).sum();
    match incident.total - told.min(incident.total) {
        0 => text.push('.'),
        rest => {
            let _ = write!(text, "; {} more of other kinds.", thousands(rest));
        }
    }
    text
}

/// What a pair has done.
fn sentence(chief: &Chief) -> String {
    let pair = chief.pair();
    let many = pair.cause.parse::<Cause>().map_or("{who}: {connections}", |cause| why::of(cause).many);
    let unread = chief.unread();
    let text = many.replace('{', "{{").replace('}', "}}");
    let text = fill(&text, |name| match name {
        "who" => pair.who().to_owned(),
        "were" if chief.events() == 1 => "was".to_owned(),
        "were" => "were".to_owned(),
        _ => pair.connections(chief.events()),
    });
    if unread > 0 { format!("{text} ({} unread)", words::bytes(unread)) } else { text }
}

/// The most important figures.
pub(super) fn figures(incident: &Incident) -> String {
    let severity = |name: &str| thousands(incident.of_severity(name));
    let figures = [
        ("findings", thousands(incident.total), ""),
        ("harmful", severity("harmful"), "harmful"),
        ("suspect", severity("suspect"), "suspect"),
        ("benign", severity("benign"), "benign"),
        ("left unread", words::bytes(incident.unread), ""),
        ("hosts", thousands(incident.hosts.len() as u64), ""),
    ];
    let mut text = String::from("<dl class=\"figures\">");
    for (name, value, class) in figures {
        let _ = write!(text, "<div class=\"{class}\"><dt>{name}</dt><dd>{value}</dd></div>");
    }
    text + "</dl>"
}

/// What to do, pair by pair.
pub(super) fn actions(incident: &Incident) -> String {
    if incident.chief.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section id=\"causes\"><h2>Causes, and what to do</h2><ol class=\"actions\">");
    let mut told = BTreeSet::new();
    for chief in &incident.chief {
        let pair = chief.pair();
        let _ = write!(
            text,
            "<li><h3>{}</h3><p class=\"meta\"><span class=\"sev {1}\">{1}</span> <code>{2}</code> · {3} of all",
            Safe(&sentence(chief)),
            Safe(pair.severity),
            Safe(pair.cause),
            words::share(chief.events(), incident.total),
        );
        if let Some(place) = &chief.place {
            let _ = write!(text, " · mostly at <code>{}</code>", Safe(place));
        }
        text.push_str("</p>");
        if let Ok(cause) = pair.cause.parse::<Cause>()
            && told.insert(cause)
        {
            let why = why::of(cause);
            let _ = write!(text, "<p>{} <cite>{}</cite></p>", Safe(why.rule), Safe(why.reference));
        }
        let _ = write!(text, "<p><strong>What to do:</strong> {}</p></li>", Safe(&chief.advice));
    }
    text + "</ol></section>"
}
