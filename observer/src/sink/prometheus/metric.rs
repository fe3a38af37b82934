//! The metrics: what each is called, counts and means. docs/sinks.md has the same table, which a test compares.

use ::prometheus::{
    IntCounterVec, Opts,
    proto::{Counter, Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType},
};
use anyhow::{Context as _, Result};

/// One metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// What it counts, in one line.
    pub(super) help: &'static str,
}

/// Whether it may fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

macro_rules! metrics {
    ($($variable:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal)*) => {
        $(pub(super) const $variable: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// Every metric.
        #[cfg(test)]
        pub(super) const ALL: &[&Metric] = &[$(&$variable),*];
    };
}

metrics! {
    FINDINGS: Counter "conn_observer_findings_total" ["type", "cause", "severity"]
        "Findings that passed the filters, by type of event, cause and severity."
    PROCESS_FINDINGS: Counter "conn_observer_process_findings_total" ["process", "cause"]
        "Findings by name of the process and cause; without a name where nobody knows the process."
    PEER_FINDINGS: Counter "conn_observer_peer_findings_total" ["peer", "cause"]
        "Findings by host name of the peer, else its address, and cause."
    CHURN_VERDICTS: Counter "conn_observer_churn_verdicts_total" ["process"]
        "Windows in which a process made connections again and again, by name of the process."
    KERNEL_ACTS: Counter "conn_observer_kernel_acts_total" ["cause"]
        "Acts that the kernel side saw on this host, whatever the filters; nothing is lost in it."
    KERNEL_RESETS: Counter "conn_observer_kernel_resets_total" ["cause"]
        "Acts with a RST of this host that the kernel side saw, whatever the filters."
    SUBMITTED: Counter "conn_observer_submitted_total" []
        "Findings that the kernel side had for the observer, after its filters."
    RECEIVED: Counter "conn_observer_received_total" []
        "Findings that reached the observer."
    LOST: Counter "conn_observer_lost_total" ["where"]
        "What was lost between kernel and sinks, by place: see docs/architecture.md, Loss."
    AUDIT_RESIDUAL: Counter "conn_observer_audit_residual_total" ["counter"]
        "Differences from the kernel's own counters that no audit before had found, by their SNMP name."
    SINK_DELIVERED: Counter "conn_observer_sink_delivered_total" ["sink"]
        "Events that a sink took."
    SINK_LOST: Counter "conn_observer_sink_lost_total" ["sink"]
        "Events that a sink's queue had no room for, or that its receiver refused."
    SINK_RETRIES: Counter "conn_observer_sink_retries_total" ["sink"]
        "Deliveries that failed and were tried again."
    SINK_QUEUE: Gauge "conn_observer_sink_queue_events" ["sink"]
        "Events that wait for a sink."
    SINK_UP: Gauge "conn_observer_sink_up" ["sink"]
        "Whether a sink works: 1 or 0."
    BUILD_INFO: Gauge "conn_observer_build_info" ["version"]
        "1, with the version of the observer."
    PLAN_INFO: Gauge "conn_observer_hook_plan_info" ["plan"]
        "1, with the hooks in force: fentry, kprobe or tracepoint."
    HOOK_RUNS: Counter "conn_observer_hook_runs_total" ["hook"]
        "Runs of a hook, while the kernel measures them (sysctl kernel.bpf_stats_enabled=1)."
    HOOK_TIME: Counter "conn_observer_hook_seconds_total" ["hook"]
        "Time that these took, on the processors of whoever made the connections."
    CPU: Counter "process_cpu_seconds_total" []
        "Processor time that the observer took, user and system."
    RESIDENT: Gauge "process_resident_memory_bytes" []
        "Memory that the observer has in use."
    START_TIME: Gauge "process_start_time_seconds" []
        "When the observer started, Unix time."
    OPEN_FDS: Gauge "process_open_fds" []
        "Files that the observer has open."
}

impl Metric {
    /// Counters that are counted up one by one.
    ///
    /// # Errors
    /// When the library does not take the name.
    pub(super) fn counters(&self) -> Result<IntCounterVec> {
        IntCounterVec::new(Opts::new(self.name, self.help), self.labels)
            .with_context(|| format!("metric {}", self.name))
    }

    /// Values as they are now, each with its labels.
    pub(super) fn family<const LABELS: usize>(
        &self,
        samples: impl IntoIterator<Item = ([String; LABELS], f64)>,
    ) -> MetricFamily {
        debug_assert_eq!(LABELS, self.labels.len());
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        family.set_metric(samples.into_iter().map(|(values, value)| self.sample(values, value)).collect());
        family
    }

    fn sample<const LABELS: usize>(&self, values: [String; LABELS], value: f64) -> Sample {
        let pair = |(name, value): (&&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value);
            pair
        };
        let mut sample = Sample::from_label(self.labels.iter().zip(values).map(pair).collect());
        match self.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
        }
        sample
    }
}
