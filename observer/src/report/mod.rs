//! An incident as one page: a file that any browser shows, without a network. Everything on it comes from counts and
//! from a bounded number of findings, so that a store may be as large as it likes.
//!
//! Values are strangers' (a process may name itself anything): `html::Safe` is the only way they get onto the page,
//! and its content security policy lets no script run but ours.

mod churn;
mod findings;
mod flame;
mod html;
mod incident;
mod pairs;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod trust;
mod words;

use std::fmt::Write as _;

use anyhow::Result;

use self::{
    html::{Safe, fill},
    incident::Incident,
    timeline::Chart,
    trust::Trust,
};
use crate::store::{Instant, Selection, Store};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the page says of itself.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Where the events come from, and which of them are meant: the options, as they were given.
    pub asked: String,
    /// The present.
    pub now: Instant,
    /// Lets scripts and styles of the page run, and no others: a word that nobody can have known before.
    pub nonce: String,
}

/// The page about the events that are selected.
///
/// # Errors
/// When the store cannot be read.
pub fn page(store: &Store, selection: &Selection, origin: &Origin) -> Result<String> {
    let counts = store.focus(selection)?;
    let incident = Incident::of(store, selection, &counts, origin.now)?;
    let chart = Chart::of(store, &counts, &incident)?;
    let trust = Trust::of(store, selection, &incident)?;
    let findings = findings::table(store, selection, &incident)?;
    let flame = flame::section(store, &counts, &incident)?;
    let churn = churn::section(store, selection)?;
    let mut footer = String::new();
    write!(
        footer,
        "Made {} by conn-observer {} from: <code>{}</code>",
        words::minute(origin.now),
        env!("CARGO_PKG_VERSION"),
        Safe(&origin.asked)
    )?;
    Ok(fill(PAGE, |name| match name {
        "nonce" => origin.nonce.clone(),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "title" => Safe(&summary::title(&incident)).to_string(),
        "summary" => summary::sentences(&incident, &trust),
        "figures" => summary::figures(&incident),
        "actions" => summary::actions(&incident),
        "timeline" => chart.section(&incident),
        "pairs" => pairs::section(&incident),
        "flame" => flame.clone(),
        "findings" => findings.clone(),
        "churn" => churn.clone(),
        "trust" => trust.section(),
        "footer" => footer.clone(),
        _ => String::new(),
    }))
}

/// A word that nobody can have known before.
///
/// # Errors
/// When the kernel has no random bytes.
pub fn nonce() -> Result<String> {
    let mut bytes = [0; 16];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
