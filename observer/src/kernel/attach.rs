//! Loading and attaching: the plans are tried in order, each complete or not at all.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader, Endianness, include_bytes_aligned,
    maps::{MapData, RingBuf},
};
use aya_log::Level;
use observer_ebpf::{Field, Settings};
use thiserror::Error;
use zerocopy::IntoBytes as _;

use super::{
    btf::{self, KernelTypes},
    filters::{self, Observed},
    hooks::{Hooks, Targets},
    log::KernelLog,
    owners,
    reasons::Reasons,
    refusal,
    settings::Abilities,
    totals::{self, Tally},
};
use crate::{
    options::{FilterSet, Options},
    plan::{Coverage, Plan},
    seed::Seed,
};

/// The kernel object, built by `cargo xtask ebpf` and committed.
static OBJECT: &[u8] = include_bytes_aligned!("../../bpf/conn-observer.bpf.o");

/// A plan that the kernel did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The plan.
    pub plan: Plan,
    /// The hook that failed, as `fentry/__tcp_close`.
    pub hook: String,
    /// The kernel's error.
    pub error: String,
}

/// No plan is left.
#[derive(Clone, Debug, Error)]
#[error(
    "the kernel refused every hook ({}; lockdown: {}); try --hooks auto, and check that BPF is allowed here (sysctl \
     kernel.unprivileged_bpf_disabled does not matter for root, a container's seccomp profile does)",
    self.list(),
    refusal::lockdown()
)]
pub(crate) struct RefusedAll {
    /// Every plan that was tried.
    pub(crate) plans: Vec<Refused>,
}

impl RefusedAll {
    fn list(&self) -> String {
        let list: Vec<String> = self.plans.iter().map(|one| format!("{}: {}", one.hook, one.error)).collect();
        list.join("; ")
    }
}

/// An attached observer. Dropping it detaches everything: the kernel holds nothing but by these file descriptors.
pub struct Attached {
    ebpf: Ebpf,
    log: Option<KernelLog>,
    attached: Hooks,
    /// The plan in force.
    pub plan: Plan,
    /// Hooks attached, as `tp_btf/tcp_send_reset`.
    pub hooks: Vec<String>,
    /// Plans that were tried before, and why they failed.
    pub refused: Vec<Refused>,
    /// Limits of what is seen.
    pub coverage: Vec<Coverage>,
    /// Kernel fields that BTF did not show.
    pub missing_fields: Vec<&'static str>,
    /// The kernel gives reasons for RSTs, and so tells every one of them, also those without a full socket.
    pub has_reasons: bool,
    /// Names of reset reasons.
    pub reasons: Arc<Reasons>,
}

impl Attached {
    /// Takes the reading end of the ring; once.
    ///
    /// # Errors
    /// When it was taken, or cannot be mapped.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.ebpf.take_map("EVENTS").context("the ring was taken already")?;
        RingBuf::try_from(map).context("cannot map the ring buffer")
    }

    /// Totals and statistics until now.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn tally(&self) -> Result<Tally> {
        let tally = totals::read(&self.ebpf)?;
        Ok(Tally { missed: tally.missed + self.attached.missed(), ..tally })
    }

    /// Tells the programs who owns the connections that are older than the hooks.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn seed(&mut self, seeds: &[Seed], filters: &FilterSet, command: Option<u32>) -> Result<()> {
        let observed = Observed::of(&self.ebpf, filters, command)?;
        owners::seed(&mut self.ebpf, seeds, &observed)
    }

    /// Passes on what the kernel side has logged.
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// Detaches every hook; maps stay readable. Afterwards no program runs.
    ///
    /// # Errors
    /// When a hook cannot be detached.
    pub fn detach(&mut self) -> Result<()> {
        self.attached.detach(&mut self.ebpf)
    }
}

/// Loads and attaches the first plan that the kernel takes.
///
/// # Errors
/// Without BTF or a required field, or when every plan was refused: names each hook and the kernel's error.
pub fn attach(options: &Options, command: Option<u32>) -> Result<Attached> {
    raise_memlock_limit();
    let types = KernelTypes::from_file(Path::new(btf::VMLINUX))?;
    let (layout, missing) = types.layout();
    if let Some(field) = missing.iter().find(|field| field.required) {
        bail!(
            "kernel BTF has no {}.{} of {} bytes, which is needed for {}: this kernel is not supported; please report \
             it with the output of `uname -r`",
            field.container,
            field.path,
            field.width,
            field.needed_for
        );
    }
    let abilities = Abilities::of(&types)?;
    let reasons = Reasons::of(&types);
    let btf = Btf::parse_file(btf::VMLINUX, Endianness::default()).context("cannot parse the kernel's BTF")?;
    let causes = reasons.causes();
    let plans = options.hooks.plans();
    let settings: Vec<Settings> = plans.iter().map(|plan| abilities.settings(options, *plan)).collect();
    let log_level = if options.kernel_log { Level::Debug as u8 } else { 0 };
    // One loader serves every plan: making one parses the kernel's BTF once more.
    let mut loader = EbpfLoader::new();
    loader
        .override_global("LAYOUT", layout.as_bytes(), true)
        .override_global("REASON_CAUSES", causes.as_slice(), true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("OWNERS", options.owners);
    let targets = Targets::of(&types, abilities.has_reasons());
    let mut refused = Vec::new();
    for (plan, settings) in plans.into_iter().zip(&settings) {
        loader.override_global("SETTINGS", settings.as_bytes(), true);
        let mut ebpf = loader.load(OBJECT).context("cannot create the maps of the kernel object")?;
        filters::install(&mut ebpf, &options.filters, command)?;
        totals::prepare(&mut ebpf)?;
        match Hooks::attach(&mut ebpf, plan, &targets, options, &btf) {
            Ok(attached) => {
                filters::add_descendants(&mut ebpf, &options.filters)?;
                let log = match options.kernel_log {
                    true => Some(KernelLog::open(&mut ebpf)?),
                    false => None,
                };
                return Ok(Attached {
                    ebpf,
                    log,
                    hooks: attached.names(),
                    attached,
                    plan,
                    refused,
                    coverage: coverage(plan, &abilities, &targets, &missing),
                    missing_fields: missing.iter().map(|field| field.name).collect(),
                    has_reasons: abilities.has_reasons(),
                    reasons: Arc::new(reasons),
                });
            }
            Err(refusal) => refused.push(refusal),
        }
    }
    Err(RefusedAll { plans: refused }.into())
}

/// The plan's own limits, and those of this kernel.
fn coverage(plan: Plan, abilities: &Abilities, targets: &Targets, missing: &[&'static Field]) -> Vec<Coverage> {
    let mut limits = plan.coverage();
    if !abilities.has_reasons() {
        limits.push(Coverage {
            what: "kernel_reason".to_owned(),
            limit: "this kernel gives no reset reasons: causes are predicted".to_owned(),
        });
        if !plan.has_close_hook() || targets.answers.is_empty() {
            limits.push(Coverage {
                what: "data_after_timewait, no_socket".to_owned(),
                limit: "this kernel's tracepoint does not tell RSTs for which it finds no full socket".to_owned(),
            });
        }
    }
    if plan.has_close_hook() && targets.accept.is_none() {
        limits.push(Coverage {
            what: "owner".to_owned(),
            limit: "this kernel's inet_csk_accept() has unknown parameters: of accepted connections the listener's \
                    maker is named"
                .to_owned(),
        });
    }
    if !abilities.probe_read() {
        limits.push(Coverage {
            what: "no_socket, bad_segment".to_owned(),
            limit:
                "lockdown=confidentiality forbids reading packets: RSTs without a connection have no addresses, and \
                    nobody to name"
                    .to_owned(),
        });
    }
    for field in missing {
        limits.push(Coverage {
            what: field.needed_for.to_owned(),
            limit: format!("kernel BTF has no {}.{} of {} bytes", field.container, field.path, field.width),
        });
    }
    limits
}

/// Needed before 5.11, where maps count against RLIMIT_MEMLOCK; refused without CAP_SYS_RESOURCE, which is fine
/// everywhere else.
fn raise_memlock_limit() {
    let limit = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, limit);
}
