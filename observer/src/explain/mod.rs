//! One finding as a story: what happened to that connection, why the kernel did what it did, who and where, what to do,
//! what the other end saw, and how often.

mod course;
mod find;
mod often;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod why;

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use serde::Serialize;

pub use find::{event_of_line, finding, name};

use self::{course::Step, often::Often};
use crate::{
    cause::Cause,
    event::{Event, Finding},
    hint, render,
    store::{Name, Selection, Store},
};

/// Nanoseconds between what two hosts tell of the same RST: their clocks may differ.
const APART: i64 = 600_000_000_000;

/// A finding with everything that there is to say of it.
#[derive(Debug, Serialize)]
pub struct Story {
    /// The finding.
    event: Event,
    /// What happened, in order.
    course: Vec<Step>,
    /// The rule by which the kernel acted.
    why: Rule,
    /// The program's innermost function, as `check (undrained.rs:53)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// What to do.
    advice: Advice,
    /// What the other end tells of the same RST.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_end: Option<Event>,
    /// How often the like happens; absent without a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    often: Option<Often>,
}

/// The rule by which the kernel acted.
#[derive(Debug, Serialize)]
struct Rule {
    /// In words.
    rule: &'static str,
    /// Kernel functions that apply it.
    functions: &'static str,
    /// The counter of the kernel beside OutRsts.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'static str>,
    /// Where it is written down.
    reference: &'static str,
}

/// What to do.
#[derive(Debug, Serialize)]
struct Advice {
    /// In a sentence or two.
    advice: Cow<'static, str>,
    /// Where that is documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'static, str>>,
    /// The cause alone has told it: neither program nor stack has told more.
    general: bool,
}

impl Story {
    /// The story of an event; without a store it has no other end and no history.
    ///
    /// # Errors
    /// When the event is no finding, and when the store cannot be read.
    pub fn of(event: Event, store: Option<&Store>) -> Result<Self> {
        let finding = event.body.finding().with_context(|| {
            let kind = event.body.name();
            format!("event {} is of type {kind}, and only findings have a story: {}", event.seq, event.message())
        })?;
        let why = why::of(finding.cause);
        let other_end = match store {
            Some(store) => other_end(store, &event, finding)?,
            None => None,
        };
        let often = match store {
            Some(store) => Some(Often::of(store, &event, finding)?),
            None => None,
        };
        Ok(Self {
            course: course::of(&event, finding),
            why: Rule { rule: why.rule, functions: why.functions, counter: why.counter, reference: why.reference },
            place: finding.stack.as_ref().and_then(render::innermost_place),
            advice: advice(finding),
            other_end,
            often,
            event,
        })
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        text::of(self)
    }

    /// As JSON.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn advice(finding: &Finding) -> Advice {
    match finding.hint.clone().or_else(|| hint::of(finding)) {
        Some(hint) => Advice { advice: hint.advice, reference: Some(hint.reference), general: false },
        None => Advice { advice: why::of(finding.cause).advice.into(), reference: None, general: true },
    }
}

/// The event with the same RST at the other end.
fn other_end(store: &Store, event: &Event, finding: &Finding) -> Result<Option<Event>> {
    let Some(id) = finding.tcp.reset_id else { return Ok(None) };
    let time = event.time.unix_ns();
    let near = Selection::default().within(Some(time - APART), Some(time + APART));
    let received = |cause: Cause| matches!(cause, Cause::ResetByPeer | Cause::ConnectionRefused);
    let other = store
        .named(&near, &Name::Reset(id), 16)?
        .into_iter()
        .find(|other| other.body.finding().is_some_and(|other| received(other.cause) != received(finding.cause)));
    Ok(other)
}
