//! What to do about connections that come and go: one reviewed table. The first entry that fits is taken, so those for a
//! runtime come first; what a runtime makes likely is said with an if.

use ChurnVerdict::{Closes, OnePerProcess, PeerCloses, Resets};
use Role::{Client, Server};

use crate::event::{Churn, ChurnVerdict, Hint, Role};

/// Who may use a connection again, and when.
const PERSISTENCE: &str = "RFC 9112 §9.3 (Persistence)";

/// Who may end one, and how.
const TEAR_DOWN: &str = "RFC 9112 §9.6 (Tear-down)";

/// One piece of advice.
struct Entry {
    verdicts: &'static [ChurnVerdict],
    role: Role,
    /// The runtime that it is about; None for any.
    runtime: Option<&'static str>,
    advice: &'static str,
    reference: &'static str,
}

static ENTRIES: &[Entry] = &[
    Entry {
        verdicts: &[Resets, Closes],
        role: Client,
        runtime: Some("go"),
        advice: "If this is net/http, read each response body to its end before closing it, small ones too, as with \
                 io.Copy(io.Discard, resp.Body), and use one Client and Transport for all requests.",
        reference: "Go package net/http, documentation of Response.Body, Client and Transport",
    },
    Entry {
        verdicts: &[Closes],
        role: Client,
        runtime: Some("cpython"),
        advice: "If this is requests, make one Session and use it for all requests: requests.get() and its like make a \
                 new one for each.",
        reference: "Requests documentation, Session Objects",
    },
    Entry {
        verdicts: &[Closes],
        role: Client,
        runtime: Some("node"),
        advice: "If this is node:http, use one Agent with keepAlive for all requests. The default agent keeps \
                 connections from Node 19 on.",
        reference: "Node.js documentation, http.Agent and http.globalAgent",
    },
    Entry {
        verdicts: &[Resets],
        role: Client,
        runtime: None,
        advice: "Read each answer to its end before closing it: a connection with unread bytes is reset, and no pool \
                 can keep it. The close events of this process name the cause.",
        reference: PERSISTENCE,
    },
    Entry {
        verdicts: &[Resets],
        role: Server,
        runtime: None,
        advice: "Read each request to its end before closing, and set no linger time of zero: the client may lose the \
                 answer. The close events of this process name the cause.",
        reference: TEAR_DOWN,
    },
    Entry {
        verdicts: &[Closes],
        role: Client,
        runtime: None,
        advice: "The process gives up each connection itself, without a RST: answers that are closed before they were \
                 read to their end, however small, a client made anew for each request, or a pool without room for idle \
                 connections look like this. Read answers to their end, share one client, keep idle connections.",
        reference: PERSISTENCE,
    },
    Entry {
        verdicts: &[Closes],
        role: Server,
        runtime: None,
        advice: "The server ends each connection itself: without keep-alive, or with too short a time for it. Where \
                 that is not meant, turn it on.",
        reference: PERSISTENCE,
    },
    Entry {
        verdicts: &[PeerCloses],
        role: Client,
        runtime: None,
        advice: "The server ends each connection first, as one does that answers `Connection: close`: the reason is \
                 there, or in a request that asks for it.",
        reference: TEAR_DOWN,
    },
    Entry {
        verdicts: &[PeerCloses],
        role: Server,
        runtime: None,
        advice: "The client ends each connection first: the reason is there. Health checks do so, too.",
        reference: TEAR_DOWN,
    },
    Entry {
        verdicts: &[OnePerProcess],
        role: Client,
        runtime: None,
        advice: "Each run of the program makes a connection of its own. One run for several requests could use one.",
        reference: PERSISTENCE,
    },
];

/// The advice for a verdict, complete but for it. None where we do not know.
#[must_use]
pub fn on(churn: &Churn) -> Option<Hint> {
    let runtime = churn.process.runtime.as_ref().map(|runtime| runtime.name.as_str());
    let fits = |entry: &&Entry| {
        entry.verdicts.contains(&churn.verdict)
            && entry.role == churn.network.role
            && entry.runtime.is_none_or(|name| runtime == Some(name))
    };
    let entry = ENTRIES.iter().find(fits)?;
    Some(Hint { advice: entry.advice.into(), reference: entry.reference.into() })
}
