//! Who, with whom, and why: the largest pairs.

use std::fmt::Write as _;

use super::{
    html::Safe,
    incident::Incident,
    words::{self, Pair},
};
use crate::message::{counted, thousands};

/// The table.
pub(super) fn section(incident: &Incident) -> String {
    if incident.pairs.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<section id=\"pairs\"><h2>Who, and with whom</h2><table class=\"cards\" id=\"pair-table\">\
         <caption>Processes and their peers by cause, the most findings first</caption><thead><tr>\
         <th scope=\"col\">process</th><th scope=\"col\">peer</th><th scope=\"col\">cause</th>\
         <th scope=\"col\">severity</th><th scope=\"col\" class=\"n\">findings</th>\
         <th scope=\"col\" class=\"n\">unread</th><th scope=\"col\">first</th><th scope=\"col\">last</th>\
         </tr></thead><tbody>",
    );
    for group in &incident.pairs {
        let pair = Pair::of(group);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td><i class=\"key c{}\"></i>{}</td>\
             <td><span class=\"sev {4}\">{4}</span></td><td class=\"n\">{5}</td><td class=\"n\">{6}</td><td>{7}</td>\
             <td>{8}</td></tr>",
            Safe(pair.process.unwrap_or("unknown")),
            Safe(&pair.against()),
            incident.colour(pair.cause),
            Safe(pair.cause),
            Safe(pair.severity),
            thousands(group.events),
            if group.unread_bytes == 0 { "–".to_owned() } else { words::bytes(group.unread_bytes) },
            words::minute(group.first),
            words::minute(group.last),
        );
    }
    text.push_str("</tbody></table>");
    let shown: u64 = incident.pairs.iter().map(|group| group.events).sum();
    let rest = incident.total.saturating_sub(shown);
    if rest > 0 {
        let _ = write!(text, "<p class=\"note\">{} of other pairs.</p>", counted(rest, "finding"));
    }
    text + "</section>"
}
