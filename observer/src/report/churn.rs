//! Connections that come and go: not findings, but told beside them.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;

use super::html::Safe;
use crate::{
    event::{Body, Event},
    message::thousands,
    store::{Selection, Store},
};

/// Pairs of process and peer that are remembered.
const REMEMBERED: usize = 1_000;

/// Pairs that are told.
const TOLD: usize = 10;

/// The latest verdict on each pair, the ones that were told most often first; nothing when there is none.
pub(super) fn section(store: &Store, selection: &Selection) -> Result<String> {
    let mut pairs: BTreeMap<(String, String, String), (u64, Event)> = BTreeMap::new();
    let mut beyond = 0;
    store.notices("churn", selection, |event| {
        let Body::Churn(churn) = &event.body else { return Ok(()) };
        let peer = &churn.network.peer;
        let peer = peer.called().into_owned();
        let key = (event.host.name.to_string(), churn.process.comm.clone(), peer);
        if let Some((times, latest)) = pairs.get_mut(&key) {
            *times += 1;
            *latest = event;
        } else if pairs.len() < REMEMBERED {
            pairs.insert(key, (1, event));
        } else {
            beyond += 1;
        }
        Ok(())
    })?;
    if pairs.is_empty() {
        return Ok(String::new());
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
    let mut text = String::from(
        "<section id=\"churn\"><h2>Connections that come and go</h2><p class=\"note\">No findings by themselves: a process \
         that makes connections again and again and hardly uses them.</p><ul>",
    );
    for ((host, ..), (times, event)) in pairs.iter().take(TOLD) {
        write!(text, "<li>{}, on host {}", Safe(&event.message().to_string()), Safe(host))?;
        if *times > 1 {
            write!(text, " (the latest of {} such windows)", thousands(*times))?;
        }
        if let Body::Churn(churn) = &event.body
            && let Some(hint) = &churn.hint
        {
            write!(text, ". <strong>What to do:</strong> {}", Safe(&hint.advice))?;
        }
        text.push_str("</li>");
    }
    text.push_str("</ul>");
    let rest = beyond + pairs.len().saturating_sub(TOLD) as u64;
    if rest > 0 {
        write!(text, "<p class=\"note\">{} more are recorded.</p>", thousands(rest))?;
    }
    Ok(text + "</section>")
}
