//! What receivers of logs index of an event, beside the whole of it.

use std::net::SocketAddr;

use crate::{
    event::{Body, Event, Process},
    severity::Severity,
};

/// How urgent an event is: levels of syslog(3), which the journal shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Application data was lost.
    Err = 3,
    /// A connection ended abnormally, or the observer itself has missed something.
    Warning = 4,
    /// The observer begins, changes or ends.
    Notice = 5,
    /// Everything else.
    Info = 6,
}

/// An event in a few words. What is not known is absent.
pub(super) struct Gist<'a> {
    pub(super) level: Level,
    pub(super) cause: Option<&'static str>,
    pub(super) severity: Option<&'static str>,
    pub(super) process: Option<&'a Process>,
    /// `address:port`, as in sentences.
    pub(super) peer: Option<String>,
}

impl<'a> Gist<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        match &event.body {
            Body::Close(finding) | Body::ResetSent(finding) | Body::ResetReceived(finding) => Self {
                level: Level::of(finding.severity),
                cause: Some(finding.cause.name()),
                severity: Some(finding.severity.name()),
                process: finding.process.as_deref(),
                peer: finding.network.as_ref().map(|network| network.peer.socket().to_string()),
            },
            Body::Churn(churn) => {
                let peer = &churn.network.peer;
                Self {
                    level: Level::of(churn.severity),
                    cause: None,
                    severity: Some(churn.severity.name()),
                    process: Some(&churn.process),
                    peer: Some(match peer.port {
                        Some(port) => SocketAddr::new(peer.address, port).to_string(),
                        None => peer.address.to_string(),
                    }),
                }
            }
            Body::Loss(_) => Self::bare(Level::Warning),
            Body::Audit(audit) => {
                let holds = audit.residual == Some(0);
                Self::bare(if holds { Level::Info } else { Level::Warning })
            }
            Body::Started(_) | Body::Reloaded(_) | Body::Stopped(_) => Self::bare(Level::Notice),
        }
    }

    fn bare(level: Level) -> Self {
        Self { level, cause: None, severity: None, process: None, peer: None }
    }
}

impl Level {
    fn of(severity: Severity) -> Self {
        match severity {
            Severity::Harmful => Self::Err,
            Severity::Suspect => Self::Warning,
            Severity::Benign => Self::Info,
        }
    }
}
