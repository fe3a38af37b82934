//! What there is to read: counts of events, and the figures of the observer itself as they are at the scrape.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use ::prometheus::{Registry, TextEncoder, proto::MetricFamily};
use anyhow::{Context as _, Result};

use super::{health, metric, usage::Usage};
use crate::{
    cause::Cause,
    sink::{Ledger, SinkCount, Surroundings},
    vitals::{Report, Vitals},
};

/// Everything that is read.
pub(super) struct Page {
    counted: Registry,
    usage: Mutex<Usage>,
    vitals: Vitals,
    sinks: Ledger,
}

impl Page {
    /// Of these counts, for this run.
    pub(super) fn new(counted: Registry, usage: Usage, around: &Surroundings) -> Self {
        Self { counted, usage: Mutex::new(usage), vitals: around.vitals.clone(), sinks: around.ledger.clone() }
    }

    /// All metrics, in the text format 0.0.4.
    ///
    /// # Errors
    /// When the observer's own figures cannot be read.
    pub(super) fn metrics(&self) -> Result<String> {
        let mut families = self.counted.gather();
        families.push(metric::BUILD_INFO.family([([env!("CARGO_PKG_VERSION").to_owned()], 1.0)]));
        if let Some(report) = self.vitals.last() {
            families.extend(of_kernel(&report));
        }
        families.extend(of_sinks(&self.sinks.read()));
        families.extend(self.of_process()?);
        families.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode_to_string(&families).context("cannot write the metrics")
    }

    /// The state in words; an error when the observer does not observe.
    pub(super) fn health(&self) -> Result<String, String> {
        health::examine(&self.vitals, &self.sinks.read(), Instant::now())
    }

    fn of_process(&self) -> Result<[MetricFamily; 4]> {
        let now = self.usage.lock().unwrap_or_else(PoisonError::into_inner).read()?;
        Ok([
            metric::CPU.family([([], now.cpu_seconds)]),
            metric::RESIDENT.family([([], now.resident_bytes as f64)]),
            metric::START_TIME.family([([], now.start_seconds)]),
            metric::OPEN_FDS.family([([], now.open_files as f64)]),
        ])
    }
}

/// What the kernel side has counted, over all namespaces.
fn of_kernel(report: &Report) -> [MetricFamily; 8] {
    let tally = &report.tally;
    let sum = |cause: &Cause, count: fn(&observer_ebpf::Total) -> u64| {
        let entries = tally.totals.iter().filter(|entry| entry.cause == cause.code());
        ([cause.name().to_owned()], entries.map(|entry| count(&entry.total)).sum::<u64>() as f64)
    };
    let lost = [
        ("ring", tally.lost()),
        ("processes", tally.lost_processes),
        ("dns", tally.lost_dns),
        ("missed", tally.missed),
        ("malformed", report.malformed),
        ("overflow", tally.overflow),
    ];
    // The kernel measures only when it is told to.
    let measured = || tally.programs.iter().filter(|program| program.runs > 0);
    [
        metric::KERNEL_ACTS.family(Cause::ALL.iter().map(|cause| sum(cause, |total| total.acts))),
        metric::KERNEL_RESETS.family(Cause::ALL.iter().map(|cause| sum(cause, |total| total.resets))),
        metric::SUBMITTED.family([([], tally.submitted() as f64)]),
        metric::RECEIVED.family([([], report.received as f64)]),
        metric::LOST.family(lost.map(|(place, count)| ([place.to_owned()], count as f64))),
        metric::PLAN_INFO.family([([report.plan.name().to_owned()], 1.0)]),
        metric::HOOK_RUNS.family(measured().map(|program| ([program.hook.clone()], program.runs as f64))),
        metric::HOOK_TIME.family(measured().map(|program| ([program.hook.clone()], program.time.as_secs_f64()))),
    ]
}

/// What became of the events in each sink.
fn of_sinks(sinks: &[SinkCount]) -> [MetricFamily; 5] {
    let each = |value: fn(&SinkCount) -> u64| sinks.iter().map(move |sink| ([sink.name.clone()], value(sink) as f64));
    [
        metric::SINK_DELIVERED.family(each(|sink| sink.delivered)),
        metric::SINK_LOST.family(each(|sink| sink.lost)),
        metric::SINK_RETRIES.family(each(|sink| sink.retries)),
        metric::SINK_QUEUE.family(each(SinkCount::waiting)),
        metric::SINK_UP.family(each(|sink| u64::from(sink.error.is_none()))),
    ]
}
