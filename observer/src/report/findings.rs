//! The latest findings, one a row: the table that the page's script filters and sorts.

use std::fmt::Write as _;

use anyhow::Result;

use super::{html::Safe, incident::Incident};
use crate::{
    event::{Event, Finding, Role},
    message::{end, thousands},
    render,
    store::{Selection, Store},
};

/// Rows at most.
const ROWS: usize = 2_000;

/// Heads of the columns, and whether they hold numbers.
const COLUMNS: [(&str, bool); 8] = [
    ("time (UTC)", false),
    ("severity", false),
    ("cause", false),
    ("process", false),
    ("peer", false),
    ("unread", true),
    ("function", false),
    ("event", false),
];

/// The table with its controls; a note when there is none.
pub(super) fn table(store: &Store, selection: &Selection, incident: &Incident) -> Result<String> {
    let mut rows = String::new();
    let mut count = 0;
    // Counts may be exact for longer than single events are kept: there may be less than the incident has.
    let findings = Selection { all_types: false, ..selection.clone() };
    store.latest(&findings, |event| {
        if let Some(finding) = event.body.finding() {
            row(&mut rows, &event, finding, incident);
            count += 1;
        }
        Ok(count < ROWS)
    })?;
    let mut text = String::from("<section id=\"findings\"><h2>Findings</h2>");
    let shown = thousands(count as u64);
    match incident.total.saturating_sub(count as u64) {
        _ if count == 0 => {
            text.push_str("<p class=\"note\">No single finding of this time is recorded.</p></section>");
            return Ok(text);
        }
        0 => write!(text, "<p class=\"note\">All {shown}, the latest first.</p>")?,
        left => write!(
            text,
            "<p class=\"note\">The latest {shown}; {} earlier ones are left out of this table. All are in the \
             counts above.</p>",
            thousands(left)
        )?,
    }
    controls(&mut text, incident, count);
    text.push_str("<table class=\"cards\" id=\"finding-table\"><caption>The latest findings</caption><thead><tr>");
    for (name, number) in COLUMNS {
        let class = if number { " class=\"n\"" } else { "" };
        write!(text, "<th scope=\"col\"{class}><button type=\"button\" disabled>{name}</button></th>")?;
    }
    text.push_str("</tr></thead><tbody>");
    text.push_str(&rows);
    text.push_str("</tbody></table></section>");
    Ok(text)
}

fn controls(text: &mut String, incident: &Incident, count: usize) {
    text.push_str(
        "<div class=\"live tools\"><label>Filter <input type=\"search\" id=\"filter\" autocomplete=\"off\" \
         placeholder=\"process, peer, function …\"></label><div role=\"group\" aria-label=\"Causes\" class=\"chips\">",
    );
    for (cause, _) in &incident.causes {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "<button type=\"button\" class=\"chip\" aria-pressed=\"false\" data-cause=\"{0}\"><i class=\"key c{1}\"></i>{0}\
             </button>",
            Safe(cause),
            incident.colour(cause)
        );
    }
    let _ = write!(text, "</div><output id=\"shown\">{} shown</output></div>", thousands(count as u64));
}

fn row(text: &mut String, event: &Event, finding: &Finding, incident: &Incident) {
    let cause = finding.cause.name();
    let _ = write!(
        text,
        "<tr data-cause=\"{cause}\" title=\"{}\"><td>{}</td><td><span class=\"sev {sev}\">{sev}</span></td>\
         <td><i class=\"key c{}\"></i>{cause}</td>",
        Safe(&event.message().to_string()),
        Safe(&render::moment(event)),
        incident.colour(cause),
        sev = finding.severity.name(),
    );
    match &finding.process {
        Some(process) => {
            let _ = write!(text, "<td>{}<small>[{}]</small></td>", Safe(&process.comm), process.pid);
        }
        None => text.push_str("<td class=\"none\">unknown</td>"),
    }
    let _ = write!(text, "<td>{}</td>", Safe(&against(finding)));
    match finding.tcp.unread_bytes {
        Some(unread) => {
            let _ = write!(text, "<td class=\"n\" data-v=\"{unread}\">{}</td>", thousands(unread.into()));
        }
        None => text.push_str("<td class=\"n none\" data-v=\"-1\">–</td>"),
    }
    match finding.stack.as_ref().and_then(render::innermost_place) {
        Some(place) => {
            let _ = write!(text, "<td><code>{}</code></td>", Safe(&place));
        }
        None => text.push_str("<td class=\"none\">–</td>"),
    }
    let _ = write!(text, "<td>{}/{}</td></tr>", Safe(&event.host.name), event.seq);
}

fn against(finding: &Finding) -> String {
    let Some(network) = &finding.network else { return "unknown".to_owned() };
    let peer = network.peer.called();
    match network.role {
        Some(Role::Server) => format!("{} → own port {}", end(&peer, network.peer.port), network.local.port),
        _ => end(&peer, network.peer.port),
    }
}
