//! `conn-observer doctor`: what works here, what does not, why, and what can be done about it. It never stops at the
//! first problem: each check is reported, and one that builds upon a failed one says so.

mod acts;
mod cost;
mod destroy;
mod netns;
mod plans;
mod privilege;
mod report;
mod selftest;
mod sock;
mod text;
mod types;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use observer_ebpf::RECORD_LEN;

pub use self::report::{Check, Cost, Field, HookCost, PlanTrial, Report, Reproduced, SCHEMA, Sighting, State};
use crate::{
    kernel::{self, Survey, btf::VMLINUX},
    options::{Format, Options},
};

/// Exit status when something that is needed does not work.
const NOT_WELL: u8 = 2;

/// What the doctor is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run that must work: its hooks, its ring, the format of the report.
    pub options: Options,
    /// BTF of another kernel, to judge instead of this machine.
    pub btf: Option<PathBuf>,
    /// Measure what the hooks cost, too.
    pub cost: bool,
}

impl Report {
    /// Exit status: 0, or 2 when something that is needed does not work.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.ok { 0 } else { NOT_WELL }
    }

    /// The report as text.
    ///
    /// # Errors
    /// When it cannot be serialised.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Text => Ok(text::render(self)),
            Format::Json => Ok(serde_json::to_string(self).context("cannot render the report")? + "\n"),
        }
    }
}

/// Makes every check.
#[must_use]
pub fn examine(request: &Request) -> Report {
    let report = match &request.btf {
        Some(path) => another_kernel(path),
        None => this_machine(request),
    };
    Report { ok: report.checks.iter().all(|check| check.state != State::Failed), ..report }
}

/// A report without any check.
fn blank(kernel: Option<String>) -> Report {
    Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        kernel,
        ok: false,
        checks: Vec::new(),
        plans: Vec::new(),
        fields: Vec::new(),
        self_test: Vec::new(),
        cost: Vec::new(),
    }
}

fn another_kernel(path: &Path) -> Report {
    let mut report = blank(None);
    read_btf(&mut report, path, "give the file /sys/kernel/btf/vmlinux of a kernel, or one made with pahole");
    for name in ["privileges", "plans", "ring", "self_test"] {
        report.checks.push(Check::skipped(name, "--btf judges the BTF of another kernel, not this machine"));
    }
    report
}

fn this_machine(request: &Request) -> Report {
    let mut report = blank(Some(rustix::system::uname().release().to_string_lossy().into_owned()));
    report.checks = privilege::checks();
    let remedy = "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (every mainstream distribution since 2021), or mount \
                  /sys";
    let survey = read_btf(&mut report, Path::new(VMLINUX), remedy);
    match obstacle(survey.as_ref()) {
        Some(why) => {
            let skipped = ["plans", "ring", "self_test"].map(|name| Check::skipped(name, why));
            report.checks.extend(skipped);
        }
        None => hooks(&mut report, request),
    }
    report
}

/// Reads and judges a BTF file.
fn read_btf(report: &mut Report, path: &Path, remedy: &str) -> Option<Survey> {
    const NAME: &str = "btf";
    match kernel::survey(path) {
        Ok(survey) => {
            report.checks.push(Check::ok(NAME, format!("{} is there and can be read", path.display())));
            report.checks.extend(types::checks(&survey));
            report.fields = types::rows(&survey);
            Some(survey)
        }
        Err(error) => {
            report.checks.push(Check::failed(NAME, format!("{error:#}"), remedy));
            report.checks.push(Check::skipped("fields", "there is no BTF to look them up in"));
            None
        }
    }
}

/// Why no plan can be tried.
fn obstacle(survey: Option<&Survey>) -> Option<&'static str> {
    match survey {
        None => Some("without BTF no program can be made for this kernel"),
        Some(survey) if !types::suffices(survey) => Some("the kernel's BTF lacks something that every program needs"),
        Some(_) if !privilege::may_load() => Some("this process may not load BPF programs: see its capabilities"),
        Some(_) => None,
    }
}

fn hooks(report: &mut Report, request: &Request) {
    let options = &request.options;
    let requested = options.hooks;
    let trials = plans::try_all(options);
    report.checks.extend(plans::checks(requested, &trials));
    report.plans = plans::rows(requested, &trials);
    let Some(plan) = plans::in_force(requested, &trials) else {
        let skipped = ["ring", "self_test"].map(|name| Check::skipped(name, "no plan that was asked for works"));
        report.checks.extend(skipped);
        return;
    };
    report.checks.push(ring(options));
    let (check, rows) = selftest::run(plan, options);
    report.checks.push(check);
    report.self_test = rows;
    if request.cost {
        let (check, costs) = cost::run(plan, options);
        report.checks.push(check);
        report.cost = costs;
    }
}

/// The kernel made the ring when it took a plan.
fn ring(options: &Options) -> Check {
    /// Bytes in front of a record in the ring (BPF_RINGBUF_HDR_SZ).
    const HEADER: u32 = 8;
    let finding = HEADER + RECORD_LEN as u32 + options.stack_depth * 8 * options.stacks.bits().count_ones();
    let bytes = options.ring_bytes;
    Check::ok("ring", format!("{} KiB hold at least {} findings", bytes >> 10, bytes / finding))
}
