//! What the doctor found, as `--format json` writes it: one object. Version [`SCHEMA`]; a value that is not known is
//! absent.

use std::time::Duration;

use serde::Serialize;

/// Version of the report's format: the number changes when a field changes its meaning or goes away.
pub const SCHEMA: &str = "conn-observer/doctor/1";

/// Everything that was checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Format version, `conn-observer/doctor/1`.
    pub schema: &'static str,
    /// Version of conn-observer.
    pub version: &'static str,
    /// Release of the running kernel; absent with `--btf`, which judges another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// No check has failed. The exit status is 0 then, otherwise 2.
    pub ok: bool,
    /// Every check, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Every attach plan, the best first; empty when none was tried.
    pub plans: Vec<PlanTrial>,
    /// Every kernel field that the programs read; empty without BTF.
    pub fields: Vec<Field>,
    /// Every cause of the self-test; empty when it was not run.
    pub self_test: Vec<Reproduced>,
    /// What the hooks take of a connection's time (`--cost`); absent when it was not measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cost: Vec<Cost>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// One sentence.
    pub detail: String,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but something cannot be seen or told.
    Limited,
    /// Something that is needed does not work.
    Failed,
    /// Not checked; the detail says why.
    Skipped,
}

/// A plan that was loaded and attached, or refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanTrial {
    /// `fentry`, `kprobe` or `tracepoint`.
    pub plan: &'static str,
    /// The kernel took all of its hooks.
    pub attaches: bool,
    /// The plan that an observer with these options would use.
    pub in_force: bool,
    /// Its hooks, as `tp_btf/tcp_send_reset`; empty when it was refused.
    pub hooks: Vec<String>,
    /// The hook that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_hook: Option<String>,
    /// The kernel's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A kernel field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name in the programs.
    pub name: &'static str,
    /// The structure that it is in.
    pub container: &'static str,
    /// Members from there on, separated by dots.
    pub path: &'static str,
    /// Bytes that are read of it.
    pub width: u32,
    /// Nothing can be observed without it.
    pub required: bool,
    /// BTF shows it, and as wide as it is read.
    pub found: bool,
    /// Bytes from the start of the structure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// What is lost without it.
    pub needed_for: &'static str,
}

/// What connections of one kind cost, both ends together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// `clean`: closed in order; `unread`: an end closes with unread data, and a finding goes to the ring.
    pub load: &'static str,
    /// Connections that were made.
    pub connections: u32,
    /// Time of all hooks for a connection, ns.
    pub connection_ns: u64,
    /// Every hook that ran, in the order of attaching.
    pub hooks: Vec<HookCost>,
}

/// What a hook took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookCost {
    /// As `tp_btf/tcp_send_reset`.
    pub hook: String,
    /// Times that it ran, on the whole host.
    pub runs: u64,
    /// Mean time of a run, ns.
    pub ns_per_run: u64,
}

impl Cost {
    pub(super) fn new(load: &'static str, connections: u32, hooks: Vec<HookCost>) -> Self {
        let total: u64 = hooks.iter().map(|hook| hook.runs * hook.ns_per_run).sum();
        Self { load, connections, connection_ns: total / u64::from(connections.max(1)), hooks }
    }
}

impl HookCost {
    /// At least one run.
    pub(super) fn new(hook: String, runs: u64, time: Duration) -> Self {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self { hook, runs, ns_per_run: ns / runs.max(1) }
    }
}

/// A cause that the self-test made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reproduced {
    /// The cause.
    pub cause: &'static str,
    /// Whether it came back.
    pub state: Sighting,
    /// Why not, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether an act of the self-test came back as a finding of the right cause and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// It did.
    Seen,
    /// It did not: a fault.
    NotSeen,
    /// It did not, and this kernel is known not to show it.
    NotOnThisKernel,
    /// The act itself could not be made.
    NotMade,
    /// It takes more than plain sockets to make it.
    NotTried,
}

impl Check {
    /// A check that found nothing wrong.
    pub(crate) fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of(name, State::Ok, detail)
    }

    /// Something cannot be seen or told.
    pub(crate) fn limited(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of(name, State::Limited, detail)
    }

    /// Something that is needed does not work.
    pub(crate) fn failed(name: impl Into<String>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::of(name, State::Failed, detail).with_remedy(remedy)
    }

    /// Not checked, and why.
    pub(crate) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::of(name, State::Skipped, why)
    }

    /// The same with what can be done about it.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn of(name: impl Into<String>, state: State, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state, detail: detail.into(), remedy: None }
    }
}

impl State {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Sighting {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::NotSeen => "not seen",
            Self::NotOnThisKernel => "not on this kernel",
            Self::NotMade => "not made",
            Self::NotTried => "not tried",
        }
    }
}
