//! How peers were named: what was seen, looked up and refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How peers were named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Naming {
    /// Looks at hosts files and at this host's addresses.
    pub hosts: HostsCounts,
    /// DNS messages (`--dns`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsCounts>,
    /// Reverse look-ups (`--ptr`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ptr: Option<PtrCounts>,
}

impl Naming {
    /// These, with what the kernel side has counted.
    #[must_use]
    pub fn with_kernel(self, kernel: &Self) -> Self {
        let lost = kernel.dns.unwrap_or_default();
        let dns = self.dns.map(|dns| DnsCounts { lost: lost.lost, too_long: lost.too_long, ..dns });
        Self { dns, ..self }
    }
}

/// Looks at hosts files and at this host's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostsCounts {
    /// Looks.
    pub looks: u64,
    /// Of those, the ones that the event did not wait for.
    pub late: u64,
    /// Looks that were left out since too many waited.
    pub dropped: u64,
}

/// DNS messages over UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsCounts {
    /// Queries seen.
    pub queries: u64,
    /// Answers seen.
    pub answers: u64,
    /// Of those, the ones that were believed.
    pub believed: u64,
    /// Of those, the ones that nobody had asked for, or that answer another question.
    pub unasked: u64,
    /// Of those, the ones that are errors, such as names that do not exist.
    pub failed: u64,
    /// Of those, the ones that the server has cut.
    pub truncated: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages that the ring had no room for.
    pub lost: u64,
    /// Answers too long to be copied.
    pub too_long: u64,
    /// Names that are remembered.
    pub kept: u64,
    /// Names that were forgotten for want of room.
    pub evicted: u64,
}

/// Reverse look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PtrCounts {
    /// Look-ups.
    pub asked: u64,
    /// Of those, the ones that gave a name.
    pub named: u64,
    /// Of those, the ones of addresses without a name.
    pub unnamed: u64,
    /// Of those, the ones that were not answered.
    pub failed: u64,
    /// Of those, the ones that the event did not wait for.
    pub late: u64,
    /// Left out since there were too many of late.
    pub limited: u64,
    /// Left out since too many waited.
    pub dropped: u64,
}
