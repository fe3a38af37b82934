//! What the page cannot know: losses, audits that did not come out even, runs without an end, filters that were on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::Result;

use super::{html::Safe, incident::Incident, words};
use crate::{
    event::{Audit, Body, Filters, Stopped},
    message::{counted, thousands},
    store::{Selection, Session, Store},
};

/// Sentences of one kind that are shown; the others are counted.
const SHOWN: usize = 12;

/// What is known of the completeness of the findings.
#[derive(Default)]
pub(super) struct Trust {
    /// What is missing or doubtful.
    doubts: Vec<String>,
    /// What limits what could be seen at all.
    limits: Vec<String>,
    /// What speaks for it.
    assurances: Vec<String>,
}

impl Trust {
    pub(super) fn of(store: &Store, selection: &Selection, incident: &Incident) -> Result<Self> {
        let mut trust = Self::default();
        let sessions = store.sessions(selection)?;
        trust.runs(&sessions);
        trust.losses(store, selection)?;
        trust.balances(store, selection)?;
        trust.audits(store, selection)?;
        trust.sight(store, selection, &sessions)?;
        trust.kept(store, incident)?;
        if trust.doubts.is_empty() {
            trust.assurances.push("No loss was told, and no run was cut off.".to_owned());
        }
        Ok(trust)
    }

    /// How many things are missing or doubtful.
    pub(super) fn doubts(&self) -> usize {
        self.doubts.len()
    }

    fn runs(&mut self, sessions: &[Session]) {
        let mut open = BTreeSet::new();
        for session in sessions {
            let host = &session.host;
            match session.missing {
                Some(missing @ 1..) => self.doubts.push(format!(
                    "On host {host} the observer was killed at {}: {} of its last second were not recorded.",
                    words::minute(session.last),
                    counted(missing, "event")
                )),
                None if !session.ended => {
                    open.insert(host.clone());
                }
                _ => {}
            }
        }
        if !open.is_empty() {
            let hosts = named(open);
            self.limits.push(format!("A run of the observer has no end here, it went on or was cut off: on {hosts}."));
        }
    }

    fn losses(&mut self, store: &Store, selection: &Selection) -> Result<()> {
        let mut lost: BTreeMap<(String, String), u64> = BTreeMap::new();
        store.notices("loss", selection, |event| {
            if let Body::Loss(loss) = event.body {
                let place = loss.sink.map_or_else(|| format!("the {}", loss.place), |sink| format!("sink {sink}"));
                *lost.entry((event.host.name.to_string(), place)).or_default() += loss.lost;
            }
            Ok(())
        })?;
        for ((host, place), count) in lost {
            let what = counted(count, "event");
            self.doubts.push(format!("On host {host} {what} had no room in {place} and went lost."));
        }
        Ok(())
    }

    /// What was counted at the end of runs.
    fn balances(&mut self, store: &Store, selection: &Selection) -> Result<()> {
        store.notices("stopped", selection, |event| {
            if let Body::Stopped(stopped) = &event.body {
                for (count, what) in balance(stopped) {
                    let (host, count) = (&event.host.name, thousands(count));
                    self.doubts.push(format!("On host {host}, at the end of a run: {what}: {count}."));
                }
            }
            Ok(())
        })
    }

    fn audits(&mut self, store: &Store, selection: &Selection) -> Result<()> {
        // An audit tells of everything since it began: the latest one counts.
        let mut latest: BTreeMap<(String, u32), Audit> = BTreeMap::new();
        store.notices("audit", selection, |event| {
            if let Body::Audit(mut audit) = event.body {
                audit.counters.retain(|counter| counter.residual != 0);
                latest.insert((event.host.name.to_string(), audit.namespace), audit);
            }
            Ok(())
        })?;
        let readable = latest.values().filter(|audit| audit.residual.is_some()).count() as u64;
        let even = latest.values().filter(|audit| audit.residual == Some(0)).count() as u64;
        if latest.is_empty() {
            self.limits.push("No audit against the kernel's own counters is recorded for this time.".to_owned());
        } else if even == readable && readable > 0 {
            self.assurances.push(format!(
                "The kernel's own counters confirm the counts in {}: no residual.",
                counted(readable, "network namespace")
            ));
        }
        for ((host, namespace), audit) in &latest {
            let Some(residual) = audit.residual else {
                self.limits.push(format!(
                    "Namespace {namespace} of host {host} could not be audited: no process was left in it."
                ));
                continue;
            };
            if residual > 0 {
                let counters: Vec<String> = audit
                    .counters
                    .iter()
                    .map(|counter| format!("{} {:+}", counter.counter, counter.residual))
                    .collect();
                self.doubts.push(format!(
                    "In namespace {namespace} of host {host} the kernel has counted otherwise than was seen: {}.",
                    counters.join(", ")
                ));
            }
        }
        let mut hosts: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        for ((host, _), audit) in &latest {
            let counts = hosts.entry(host).or_default();
            for (known, new) in counts.iter_mut().zip([audit.missed, audit.overflow, audit.unknown_owners]) {
                *known = new.max(*known);
            }
        }
        for (host, counts) in hosts {
            let told = ["hook runs skipped by the kernel", "things without room in a map", UNKNOWN_OWNERS];
            for (count, what) in counts.into_iter().zip(told).filter(|(count, _)| *count > 0) {
                self.doubts.push(format!("On host {host}, by its audits: {what}: {}.", thousands(count)));
            }
        }
        Ok(())
    }

    /// What the observers could see at all.
    fn sight(&mut self, store: &Store, selection: &Selection, sessions: &[Session]) -> Result<()> {
        let begins: BTreeSet<(&str, i64)> =
            sessions.iter().map(|session| (session.host.as_str(), session.begin)).collect();
        let mut limits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        store.notices("started", &selection.within(None, selection.until), |event| {
            let time = event.time.unix_ns();
            if let Body::Started(started) = event.body
                && begins.contains(&(&*event.host.name, time))
            {
                for limit in started.hooks.coverage {
                    limits
                        .entry(format!("{}: {}", limit.what, limit.limit))
                        .or_default()
                        .insert(event.host.name.to_string());
                }
                if let Some(filters) = filtered(&started.filters) {
                    limits
                        .entry(format!("Only what these filters let pass: {filters}"))
                        .or_default()
                        .insert(event.host.name.to_string());
                }
            }
            Ok(())
        })?;
        store.notices("reloaded", selection, |event| {
            if let Body::Reloaded(reloaded) = event.body {
                let filters = filtered(&reloaded.filters).unwrap_or_else(|| "none".to_owned());
                let told = format!(
                    "Filters were changed at {}: {filters}",
                    event.time.to_string().get(..16).unwrap_or_default()
                );
                limits.entry(told).or_default().insert(event.host.name.to_string());
            }
            Ok(())
        })?;
        for (limit, hosts) in limits {
            self.limits.push(format!("{limit} ({})", named(hosts)));
        }
        Ok(())
    }

    /// Whether counts go back further than single findings.
    fn kept(&mut self, store: &Store, incident: &Incident) -> Result<()> {
        if let Some((kept, _)) = store.span()?
            && kept.saturating_sub(incident.first) > 120 * words::SECOND
        {
            self.limits.push(format!(
                "Single findings from before {} were removed to make room; their counts are exact.",
                words::minute(kept)
            ));
        }
        Ok(())
    }

    /// The statement.
    pub(super) fn section(&self) -> String {
        let mut text = String::from("<section id=\"trust\"><h2>What this report cannot know</h2>");
        list(&mut text, "Missing or doubtful", &self.doubts);
        list(&mut text, "Limits of what was seen", &self.limits);
        list(&mut text, "Confirmed", &self.assurances);
        text.push_str(
            "<p class=\"note\">Orderly closes, packets that other hosts or devices on the way have reset without this \
             host taking notice, and what happened while no observer ran are no part of it.</p></section>",
        );
        text
    }
}

const UNKNOWN_OWNERS: &str = "RSTs of connections whose process was not known";

/// Counts at the end of a run that say that something is missing.
fn balance(stopped: &Stopped) -> Vec<(u64, &'static str)> {
    let counts = [
        (stopped.lost, "findings lost for want of room in the ring"),
        (stopped.malformed, "records that could not be read, a fault of the observer"),
        (stopped.missed, "hook runs skipped by the kernel"),
        (stopped.overflow, "things without room in a map"),
        (stopped.disagreements, "findings that contradict the kernel's reason"),
        (stopped.unattributed, "RSTs withheld, since a filter by process was on and nobody knows theirs"),
        (stopped.unknown_owners, UNKNOWN_OWNERS),
        (stopped.below_severity, "findings below the severity that was asked for"),
        (stopped.beyond_count, "findings after the number that was asked for"),
        (stopped.unknown_processes, "processes that had ended before they could be looked up"),
        (stopped.lost_processes, "beginnings and ends of processes lost"),
    ];
    counts.into_iter().filter(|(count, _)| *count > 0).collect()
}

/// Hosts by name, many of them by number.
fn named(hosts: BTreeSet<String>) -> String {
    if hosts.len() > 4 {
        return counted(hosts.len() as u64, "host");
    }
    hosts.into_iter().collect::<Vec<_>>().join(", ")
}

/// Filters, where there are any that leave something out.
fn filtered(filters: &Filters) -> Option<String> {
    let filters = Filters { all_closes: false, ..filters.clone() };
    (filters != Filters::default()).then(|| serde_json::to_string(&filters).unwrap_or_default())
}

fn list(text: &mut String, head: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "<h3>{head}</h3><ul>");
    for sentence in sentences.iter().take(SHOWN) {
        let _ = write!(text, "<li>{}</li>", Safe(sentence));
    }
    if let Some(rest @ 1..) = sentences.len().checked_sub(SHOWN) {
        let _ = write!(text, "<li>{} more of this kind.</li>", thousands(rest as u64));
    }
    text.push_str("</ul>");
}
