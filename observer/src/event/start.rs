//! The first line: what the observer is, and what it can see here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::User;
use crate::{cause::Cause, severity::Severity};

/// What the observer is, and what it can see here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Version of conn-observer.
    pub version: String,
    /// Release of the running kernel.
    pub kernel: String,
    /// The hooks.
    pub hooks: Hooks,
    /// Filters in force.
    pub filters: Filters,
    /// What the observer has given up; absent in streams of versions without a sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// Size of the ring buffer in bytes.
    pub ring_bytes: u32,
    /// Most frames of a user stack.
    pub stack_depth: u32,
}

/// Other filters or sinks are in force (SIGHUP): what follows went by them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Filters in force.
    pub filters: Filters,
    /// Sinks in force, as `file:/var/log/conn-observer/events.ndjson`.
    pub sinks: Vec<String>,
    /// Options that have changed in the configuration file, but need a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_restart: Vec<String>,
}

/// Hooks attached, refused and missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hooks {
    /// The plan in force: `fentry`, `kprobe` or `tracepoint`.
    pub plan: String,
    /// What was asked for: a plan or `auto`.
    pub requested: String,
    /// Hooks attached, as `tp_btf/tcp_send_reset`.
    pub attached: Vec<String>,
    /// Better plans that the kernel refused.
    pub refused: Vec<RefusedHook>,
    /// What cannot be seen, and why.
    pub coverage: Vec<CoverageLimit>,
    /// Kernel fields that BTF does not show as expected.
    pub missing_fields: Vec<String>,
}

/// A hook that the kernel refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedHook {
    /// The plan it belongs to.
    pub plan: String,
    /// The hook.
    pub hook: String,
    /// The kernel's error.
    pub error: String,
}

/// A limit of what is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageLimit {
    /// Cause, field or feature.
    pub what: String,
    /// The limit, as a sentence.
    pub limit: String,
}

/// What the observer has given up (`--sandbox`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sandbox {
    /// What was asked for: `strict`, `best-effort` or `off`.
    pub mode: String,
    /// The user that it goes on as.
    pub user: User,
    /// Capabilities that it still has, as `CAP_SYS_PTRACE`.
    pub capabilities: Vec<String>,
    /// NO_NEW_PRIVS: nothing that is executed can gain privileges.
    pub no_new_privs: bool,
    /// Landlock, in force in the threads that write the events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landlock: Option<Landlock>,
    /// System calls that an observer never makes are denied.
    pub seccomp: bool,
    /// What the kernel refused, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// Landlock, where it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Landlock {
    /// Version of the kernel's Landlock.
    pub abi: u32,
    /// It has all that is asked for.
    pub complete: bool,
}

/// Filters in force; an empty one is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Filters {
    /// Process ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pid: Vec<u32>,
    /// Children are observed too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub children: bool,
    /// Names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comm: Vec<String>,
    /// User ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uid: Vec<u32>,
    /// Ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub port: Vec<u16>,
    /// Networks of the remote address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer: Vec<String>,
    /// Network namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netns: Vec<u32>,
    /// Causes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<Cause>,
    /// Least severity.
    #[serde(default, skip_serializing_if = "Severity::is_least")]
    pub severity: Severity,
    /// Least number of unread bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_unread: u32,
    /// Orderly closes are reported too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_closes: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
