//! What the page is about: counts of the findings that are selected.

use std::collections::BTreeMap;

use anyhow::Result;

use super::words::{Pair, Peers, SECOND};
use crate::{
    cause::Cause,
    explain::why,
    severity::Severity,
    store::{Field, Group, Instant, Selection, Store},
};

/// Pairs in the table.
pub(super) const PAIRS: u32 = 30;

/// Groups that the summary speaks of.
const CHIEF: u32 = 3;

/// Causes with a colour of their own; the others share one.
pub(super) const COLOURS: usize = 8;

/// What the summary counts by: peers are looked at within it.
const SERVICE: [Field; 5] = [Field::Process, Field::Port, Field::Role, Field::Cause, Field::Severity];

/// What pairs are counted by; [`Pair`] reads it.
const PAIR: [Field; 6] = [Field::Process, Field::Peer, Field::Port, Field::Role, Field::Cause, Field::Severity];

/// Counts of the findings that are selected.
pub(super) struct Incident {
    /// From when on, as it was asked for or by the first finding.
    pub(super) since: Instant,
    /// The first finding, or its minute.
    pub(super) first: Instant,
    /// Until when.
    pub(super) until: Instant,
    /// Findings.
    pub(super) total: u64,
    /// Bytes that were left unread.
    pub(super) unread: u64,
    /// By severity.
    severities: BTreeMap<String, u64>,
    /// By cause, the most frequent one first.
    pub(super) causes: Vec<(String, u64)>,
    /// Hosts that have told them.
    pub(super) hosts: Vec<String>,
    /// By process, peer and cause, the largest ones.
    pub(super) pairs: Vec<Group>,
    /// The first of them, with what is known of them.
    pub(super) chief: Vec<Chief>,
}

/// Connections of a process to a service for one cause.
pub(super) struct Chief {
    /// By [`SERVICE`].
    group: Group,
    /// The most frequent peer.
    peer: Option<Group>,
    /// What to do about it.
    pub(super) advice: String,
    /// The place in the code that most of them have.
    pub(super) place: Option<String>,
}

impl Chief {
    /// Whose connections they are, with whom, and why.
    pub(super) fn pair(&self) -> Pair<'_> {
        let value = |index: usize| self.group.values.get(index).and_then(Option::as_deref);
        let peer = self.peer.as_ref().and_then(|peer| Some((peer.values.first()?.as_deref()?, peer.events)));
        let peers = match peer {
            None if self.peer.is_some() => Peers::Unknown,
            None => Peers::Several,
            Some((name, events)) if events == self.group.events => Peers::One(name),
            Some((name, events)) if events > self.group.events / 2 => Peers::Mostly(name),
            Some(_) => Peers::Several,
        };
        Pair {
            process: value(0),
            peers,
            port: value(1).and_then(|port| port.parse().ok()).unwrap_or(0),
            role: value(2),
            cause: value(3).unwrap_or_default(),
            severity: value(4).unwrap_or_default(),
        }
    }

    /// Findings.
    pub(super) fn events(&self) -> u64 {
        self.group.events
    }

    /// Bytes that were left unread.
    pub(super) fn unread(&self) -> u64 {
        self.group.unread_bytes
    }
}

impl Incident {
    pub(super) fn of(store: &Store, selection: &Selection, counts: &Selection, now: Instant) -> Result<Self> {
        // One walk through the counts for all that is small.
        let whole = store.groups(counts, &[Field::Severity, Field::Cause, Field::Host])?;
        let mut sums: [BTreeMap<String, u64>; 3] = Default::default();
        for group in &whole {
            for (sum, value) in sums.iter_mut().zip(&group.values) {
                *sum.entry(value.clone().unwrap_or_default()).or_default() += group.events;
            }
        }
        let [severities, causes, hosts] = sums;
        let mut causes: Vec<(String, u64)> = causes.into_iter().collect();
        causes.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        let first = whole.iter().map(|group| group.first).min().unwrap_or(now);
        // The counts know the minute only.
        let last = whole.iter().map(|group| group.last.saturating_add(60 * SECOND)).max().unwrap_or(now);
        let pairs = store.largest(counts, &PAIR, PAIRS)?;
        let services = services(store, counts)?.into_iter();
        let chief = services.map(|group| chief(store, counts, group, &pairs)).collect::<Result<_>>()?;
        let since = selection.since.unwrap_or(first);
        Ok(Self {
            since,
            until: selection.until.unwrap_or(last).max(since),
            first,
            total: whole.iter().map(|group| group.events).sum(),
            unread: whole.iter().map(|group| group.unread_bytes).sum(),
            severities,
            causes,
            hosts: named(store, selection, hosts)?,
            pairs,
            chief,
        })
    }

    /// The number of a cause's colour.
    pub(super) fn colour(&self, cause: &str) -> usize {
        let place = self.causes.iter().position(|(known, _)| known == cause);
        place.unwrap_or(COLOURS).min(COLOURS)
    }

    /// Findings of a severity.
    pub(super) fn of_severity(&self, name: &str) -> u64 {
        self.severities.get(name).copied().unwrap_or(0)
    }
}

/// The largest groups of suspect and harmful findings; where there are few of these, the largest of all beside them.
fn services(store: &Store, counts: &Selection) -> Result<Vec<Group>> {
    let worse = Selection { severity: counts.severity.max(Severity::Suspect), ..counts.clone() };
    let mut services = store.largest(&worse, &SERVICE, CHIEF)?;
    if services.len() < CHIEF as usize {
        for group in store.largest(counts, &SERVICE, 2 * CHIEF)? {
            if services.len() < CHIEF as usize && services.iter().all(|known| known.values != group.values) {
                services.push(group);
            }
        }
    }
    Ok(services)
}

/// Hosts of the findings. Counts know the host by the process: without one it is that of the stream, where there is but
/// one.
fn named(store: &Store, selection: &Selection, mut hosts: BTreeMap<String, u64>) -> Result<Vec<String>> {
    let unknown = hosts.remove("").is_some();
    let mut hosts: Vec<String> = hosts.into_keys().collect();
    if unknown {
        let mut streams: Vec<String> = store.sessions(selection)?.into_iter().map(|session| session.host).collect();
        streams.dedup();
        if let [one] = &streams[..]
            && !hosts.contains(one)
        {
            hosts.push(one.clone());
        }
    }
    Ok(hosts)
}

/// What is known of such connections: the peer, the advice and the place that most of them have.
fn chief(store: &Store, selection: &Selection, group: Group, pairs: &[Group]) -> Result<Chief> {
    let mut these = selection.clone();
    for (field, value) in SERVICE.into_iter().zip(&group.values) {
        if let Some(value) = value {
            these.fields.retain(|(known, _)| *known != field);
            these.fields.push((field, vec![value.clone()]));
        }
    }
    // The pairs are sorted, too; a service that is not among them has many peers, or few findings.
    let of_service = |pair: &&Group| {
        let values = pair.values.iter().enumerate().filter(|(index, _)| PAIR[*index] != Field::Peer);
        values.map(|(_, value)| value).eq(&group.values)
    };
    let peer = match pairs.iter().find(of_service) {
        Some(pair) => Some(Group { values: vec![pair.values[1].clone()], ..pair.clone() }),
        // What is not known cannot be asked for.
        None if group.values.contains(&None) => None,
        None => store.largest(&these, &[Field::Peer], 1)?.into_iter().next(),
    };
    let most = store.largest(&these, &[Field::Advice, Field::Stack], 1)?.into_iter().next();
    let mut values = most.map(|group| group.values).unwrap_or_default().into_iter();
    let (advice, place) = (values.next().flatten(), values.next().flatten());
    let mut chief = Chief { group, peer, advice: String::new(), place };
    let general = chief.pair().cause.parse::<Cause>().map_or("", |cause| why::of(cause).advice);
    chief.advice = advice.unwrap_or_else(|| general.to_owned());
    Ok(chief)
}
