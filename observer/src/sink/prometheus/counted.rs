//! Counts of events. Labels that others choose, names of processes and peers, are bounded; all other ones are ours.

use std::borrow::Cow;

use ::prometheus::{IntCounterVec, Registry};
use anyhow::{Context as _, Result};

use super::{
    bounded::Names,
    metric::{self, Metric},
    residuals::Residuals,
};
use crate::{
    audit,
    cause::Cause,
    event::{Audit, Body, Endpoint, Event, Finding},
    severity::Severity,
};

/// Everything counted so far.
pub(super) struct Counted {
    registry: Registry,
    findings: IntCounterVec,
    of_processes: IntCounterVec,
    of_peers: IntCounterVec,
    churn: IntCounterVec,
    residual: IntCounterVec,
    processes: Names,
    peers: Names,
    residuals: Residuals,
}

impl Counted {
    /// Nothing yet, with so many names of processes and of peers at most.
    ///
    /// # Errors
    /// When the library takes no such metrics.
    pub(super) fn new(labels: usize) -> Result<Self> {
        let registry = Registry::new();
        let counters = |metric: Metric| -> Result<IntCounterVec> {
            let counters = metric.counters()?;
            registry.register(Box::new(counters.clone())).with_context(|| format!("metric {}", metric.name))?;
            Ok(counters)
        };
        let counted = Self {
            findings: counters(metric::FINDINGS)?,
            of_processes: counters(metric::PROCESS_FINDINGS)?,
            of_peers: counters(metric::PEER_FINDINGS)?,
            churn: counters(metric::CHURN_VERDICTS)?,
            residual: counters(metric::AUDIT_RESIDUAL)?,
            registry,
            processes: Names::new(labels),
            peers: Names::new(labels),
            residuals: Residuals::default(),
        };
        counted.begin();
        Ok(counted)
    }

    /// Where the counters are read, without waiting for [`Self::count`].
    pub(super) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Has counters at 0 of what may come, as far as that is known: `increase()` does not see the first one of a series.
    fn begin(&self) {
        for cause in Cause::ALL {
            for severity in Severity::ALL {
                add(&self.findings, &[usual_type(*cause), cause.name(), severity.name()], 0);
            }
        }
        for counter in audit::counters() {
            add(&self.residual, &[counter], 0);
        }
    }

    /// Allows so many names from here on; those that have series keep them.
    pub(super) fn allow(&mut self, labels: usize) {
        self.processes.allow(labels);
        self.peers.allow(labels);
    }

    /// Counts an event.
    pub(super) fn count(&mut self, event: &Event) {
        match &event.body {
            Body::Close(finding) => self.finding("close", finding),
            Body::ResetSent(finding) => self.finding("reset_sent", finding),
            Body::ResetReceived(finding) => self.finding("reset_received", finding),
            Body::Churn(churn) => add(&self.churn, &[self.processes.label(&churn.process.comm)], 1),
            Body::Audit(audit) => self.audit(audit),
            _ => {}
        }
    }

    fn finding(&mut self, kind: &str, finding: &Finding) {
        let cause = finding.cause.name();
        add(&self.findings, &[kind, cause, finding.severity.name()], 1);
        let process = finding.process.as_ref().map_or("", |process| process.comm.as_str());
        add(&self.of_processes, &[self.processes.label(process), cause], 1);
        let peer = finding.network.as_ref().map(|network| &network.peer);
        let peer = peer.map_or(Cow::Borrowed(""), Endpoint::called);
        add(&self.of_peers, &[self.peers.label(&peer), cause], 1);
    }

    fn audit(&mut self, audit: &Audit) {
        for (counter, count) in self.residuals.news(audit) {
            add(&self.residual, &[counter], count);
        }
    }
}

fn add(counters: &IntCounterVec, labels: &[&str], count: u64) {
    // Fails only for another number of labels.
    if let Ok(counter) = counters.get_metric_with_label_values(labels) {
        counter.inc_by(count);
    }
}

/// The type of event that a cause comes with, as a rule.
fn usual_type(cause: Cause) -> &'static str {
    match cause {
        Cause::CloseUnread | Cause::ClosePhantom | Cause::LingerZero | Cause::Linger2Timeout | Cause::Clean => "close",
        Cause::ResetByPeer | Cause::ConnectionRefused => "reset_received",
        _ => "reset_sent",
    }
}

#[cfg(test)]
mod tests;
