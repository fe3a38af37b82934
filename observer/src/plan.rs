//! Attach plans: which hooks see a close, and what each plan cannot see.

use std::{fmt, str::FromStr};

/// A complete set of hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// fentry on `__tcp_close`, through a BPF trampoline.
    Fentry,
    /// kprobe on `__tcp_close`, where there are no trampolines.
    Kprobe,
    /// Tracepoints alone, for kernels that refuse function hooks.
    Tracepoint,
}

impl Plan {
    /// Every plan, the best first.
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// Name on the command line and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }

    /// Whether closes are seen at the entry of the function that makes them.
    #[must_use]
    pub fn has_close_hook(self) -> bool {
        self != Self::Tracepoint
    }

    /// What this plan cannot see, whatever the kernel.
    #[must_use]
    pub fn coverage(self) -> Vec<Coverage> {
        if self.has_close_hook() {
            return Vec::new();
        }
        vec![
            Coverage {
                what: "clean_closes".to_owned(),
                limit: "shutdown(SHUT_RDWR) with nothing unread counts as the close".to_owned(),
            },
            Coverage {
                what: "disconnect".to_owned(),
                limit: "connect(AF_UNSPEC) after shutdown(SHUT_RDWR) looks like the close it resembles".to_owned(),
            },
            Coverage {
                what: "owner".to_owned(),
                limit:
                    "a process owns an accepted connection from its first read on; before that its listener's maker \
                        is named"
                        .to_owned(),
            },
            Coverage {
                what: "close_phantom".to_owned(),
                limit: "told by exclusion, since the receive queue is purged before the first hook".to_owned(),
            },
        ]
    }
}

/// A limit of what is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Cause, field or feature that is limited.
    pub what: String,
    /// How, in one sentence.
    pub limit: String,
}

/// What `--hooks` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanChoice {
    /// The best plan that the kernel takes.
    #[default]
    Auto,
    /// This plan or none.
    Only(Plan),
}

impl PlanChoice {
    /// Plans to try, in order.
    #[must_use]
    pub fn plans(self) -> Vec<Plan> {
        match self {
            Self::Auto => Plan::ALL.to_vec(),
            Self::Only(plan) => vec![plan],
        }
    }
}

impl fmt::Display for PlanChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Only(plan) => plan.name(),
        })
    }
}

impl FromStr for PlanChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let plan = Plan::ALL.into_iter().find(|plan| plan.name() == text);
        plan.map(Self::Only).ok_or_else(|| "expected auto, fentry, kprobe or tracepoint".to_owned())
    }
}
