//! The arguments of the doctor.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values;
use crate::{
    doctor,
    options::{Format, Options},
    plan::PlanChoice,
};

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// The hook plan that must work: auto, fentry, kprobe or tracepoint
    #[arg(long, value_name = "PLAN", default_value_t, value_parser = values::hooks(), hide_possible_values = true)]
    hooks: PlanChoice,
    /// Judge the BTF file of another kernel instead of this machine
    #[arg(long, value_name = "FILE", conflicts_with = "hooks")]
    btf: Option<PathBuf>,
    /// Measure what the hooks take of a connection's time here, too
    #[arg(long, conflicts_with = "btf")]
    cost: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

impl DoctorArguments {
    /// What the self-test is asked, with an observer's defaults.
    pub(super) fn request(self, defaults: Options) -> doctor::Request {
        let format = match self.format {
            ReportFormat::Text => Format::Text,
            ReportFormat::Json => Format::Json,
        };
        doctor::Request { options: Options { hooks: self.hooks, format, ..defaults }, btf: self.btf, cost: self.cost }
    }
}
