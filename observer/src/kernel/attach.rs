//! Loading and attaching: the plans are tried in order, each complete or not at all.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, include_bytes_aligned,
    maps::{MapData, RingBuf},
};
use aya_log::Level;
use observer_ebpf::{Churn, DNS_RING_BYTES, Field, Pair, Settings};
use thiserror::Error;
use zerocopy::IntoBytes as _;

use super::{
    btf::{self, KernelTypes},
    churn,
    filters::{self, Generation, Observed},
    hooks::{Hooks, Targets},
    loader,
    log::KernelLog,
    owners::{self, OwnerTable},
    reasons::Reasons,
    refusal,
    runs::ProgramRuns,
    settings::Abilities,
    tap,
    totals::{self, Tally},
};
use crate::{
    options::{FilterSet, Options},
    plan::{Coverage, Plan},
    seed::Seed,
};

/// The kernel object, built by `cargo xtask ebpf` and committed.
static OBJECT: &[u8] = include_bytes_aligned!("../../bpf/conn-observer.bpf.o");

/// Processes that can be observed before and after a change of filters, together.
const TWO_GENERATIONS_OF_PIDS: u32 = 16_384;

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
    owners: OwnerTable,
    taps_dns: bool,
    generation: Generation,
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
        self.ring("EVENTS")
    }

    /// Takes the reading end of the ring of processes' lives; once.
    ///
    /// # Errors
    /// When it was taken, or cannot be mapped.
    pub fn take_lives(&mut self) -> Result<RingBuf<MapData>> {
        self.ring("PROCESSES")
    }

    /// Takes the reading end of the ring of DNS messages; None without `--dns`, or when the kernel refused it.
    ///
    /// # Errors
    /// When it was taken, or cannot be mapped.
    pub fn take_dns(&mut self) -> Result<Option<RingBuf<MapData>>> {
        self.taps_dns.then(|| self.ring("DNS")).transpose()
    }

    fn ring(&mut self, name: &str) -> Result<RingBuf<MapData>> {
        let map = self.ebpf.take_map(name).with_context(|| format!("the ring {name} was taken already"))?;
        RingBuf::try_from(map).with_context(|| format!("cannot map the ring {name}"))
    }

    /// Totals and statistics until now.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn tally(&self) -> Result<Tally> {
        let tally = totals::read(&self.ebpf)?;
        Ok(Tally { missed: tally.missed + self.attached.missed(), programs: self.runs(), ..tally })
    }

    /// How often each hook has run since it was attached.
    #[must_use]
    pub fn runs(&self) -> Vec<ProgramRuns> {
        self.attached.runs()
    }

    /// Connections by process and peer, counted since the last call.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn take_churn(&mut self) -> Result<Vec<(Pair, Churn)>> {
        churn::take(&mut self.ebpf)
    }

    /// Tells the programs who owns the connections that are older than the hooks.
    ///
    /// # Errors
    /// When a map cannot be read or written.
    pub fn seed(&mut self, seeds: &[Seed], filters: &FilterSet, command: Option<u32>) -> Result<()> {
        let observed = Observed::of(&self.ebpf, self.generation, filters, command)?;
        owners::seed(&mut self.ebpf, self.owners, seeds, &observed)
    }

    /// Puts other filters in force, at once. Owners of connections are to be seeded again: those of namespaces that were
    /// not observed are not known.
    ///
    /// # Errors
    /// When there are too many values of one: then nothing has changed.
    pub fn change_filters(&mut self, old: &FilterSet, new: &FilterSet, command: Option<u32>) -> Result<()> {
        self.generation = filters::replace(&mut self.ebpf, self.generation, (old, new), command)?;
        Ok(())
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
        tap::detach(&mut self.ebpf)?;
        self.attached.detach(&mut self.ebpf)
    }
}

/// Loads and attaches the first plan that the kernel takes.
///
/// # Errors
/// Without BTF or a required field, or when every plan was refused: names each hook and the kernel's error.
pub fn attach(options: &Options, command: Option<u32>) -> Result<Attached> {
    raise_memlock_limit();
    let mut loader = loader::make(); // one for every plan
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
    let causes = reasons.causes();
    let plans = options.hooks.plans();
    let owners = OwnerTable::of(options.owners);
    let settings: Vec<Settings> = plans.iter().map(|plan| abilities.settings(options, owners, *plan)).collect();
    let log_level = if options.kernel_log { Level::Debug as u8 } else { 0 };
    loader
        .btf(None)
        .override_global("LAYOUT", layout.as_bytes(), true)
        .override_global("REASON_CAUSES", causes.as_slice(), true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("OWNERS", owners.sets)
        .map_max_entries("DNS", if options.dns { DNS_RING_BYTES } else { tap::UNUSED_RING_BYTES })
        .map_max_entries("ASKERS", if options.dns { tap::ASKERS } else { tap::UNUSED_ASKERS })
        .map_max_entries("CHURN", if options.churn.is_some() { options.churn_pairs } else { 1 });
    if options.config.is_some() {
        loader.map_max_entries("PIDS", TWO_GENERATIONS_OF_PIDS);
    }
    let generation = Generation::default();
    let (targets, ids) = Targets::of(&types, abilities.has_reasons());
    drop(types);
    let mut ids = ids.begin()?;
    let mut refused = Vec::new();
    for (plan, settings) in plans.into_iter().zip(&settings) {
        if let Some(refusal) = Hooks::probe(plan, &targets, options) {
            refused.push(refusal);
            continue;
        }
        loader.override_global("SETTINGS", settings.as_bytes(), true);
        let mut ebpf = loader.load(OBJECT).context("cannot create the maps of the kernel object")?;
        filters::install(&mut ebpf, generation, &options.filters, command)?;
        filters::put_in_force(&mut ebpf, generation, settings.selection)?;
        totals::prepare(&mut ebpf)?;
        match Hooks::attach(&mut ebpf, plan, &targets, ids.done()?, options) {
            Ok(attached) => {
                filters::add_descendants(&mut ebpf, generation, &options.filters)?;
                let log = match options.kernel_log {
                    true => Some(KernelLog::open(&mut ebpf)?),
                    false => None,
                };
                let mut coverage = coverage(plan, &abilities, &targets, &missing);
                let mut hooks = attached.names();
                if options.dns {
                    match tap::attach(&mut ebpf, options.kernel_log) {
                        Ok(tap) => {
                            hooks.extend(tap.hooks);
                            coverage.extend(tap.limit);
                        }
                        Err(limit) => coverage.push(limit),
                    }
                }
                return Ok(Attached {
                    ebpf,
                    log,
                    owners,
                    taps_dns: hooks.len() > attached.names().len(),
                    hooks,
                    attached,
                    generation,
                    plan,
                    refused,
                    coverage,
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
        limits.push(Coverage {
            what: "executable, command_args".to_owned(),
            limit: "lockdown=confidentiality forbids reading the memory of programs: of those that began and ended \
                    since the observer started, path and arguments are unknown"
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
