//! The rows of the matrix: a kernel, and whether it is locked down; the columns are the hook plans.

use std::fmt;

use anyhow::Result;

use super::kernels::{self, Pinned};

/// The observer's hook plans; each is tested on its own, as `auto` would only ever show the first that works.
pub(crate) const PLANS: [&str; 3] = ["fentry", "kprobe", "tracepoint"];
/// The row that the whole matrix has besides each kernel as it boots: one kernel is enough, since lockdown forbids the
/// same on all of them.
const LOCKED_DOWN: (&str, Lockdown) = ("6.12", Lockdown::Confidentiality);

/// What a short run of the matrix tests with every plan: the oldest kernel, which takes the least and tells the least.
const OLDEST: &str = "5.10";
/// Kernels that a short run tests with the first plan as well: the one with the old predicate of close_phantom, and the newest.
const WITH_FIRST_PLAN: [&str; 2] = ["6.12.43", "7.3"];

/// The levels of the kernel's lockdown, as `/sys/kernel/security/lockdown` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lockdown {
    /// As distributions set it under Secure Boot.
    Integrity,
    /// Also forbids reading the kernel's memory: no kprobe, no `bpf_probe_read_kernel`.
    Confidentiality,
}

impl fmt::Display for Lockdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        })
    }
}

/// One boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) pinned: &'static Pinned,
    pub(crate) lockdown: Option<Lockdown>,
}

impl Row {
    /// Whether the kernel is expected to refuse this plan. Anywhere else, a refusal is a failure.
    pub(crate) fn refuses(&self, plan: &str) -> bool {
        self.lockdown == Some(Lockdown::Confidentiality) && plan == "kprobe"
    }

    /// Whether a short run of the matrix tests this plan here, and does not only see it attached. The first one is what
    /// `auto` chooses on these kernels.
    pub(crate) fn is_short(&self, plan: &str) -> bool {
        let name = self.pinned.name;
        self.lockdown.is_some() || name == OLDEST || plan == PLANS[0] && WITH_FIRST_PLAN.contains(&name)
    }
}

/// As verdict lines begin: `6.1`, `6.12 lockdown=confidentiality`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pinned.name)?;
        self.lockdown.map_or(Ok(()), |level| write!(f, " lockdown={level}"))
    }
}

/// The named kernels at this level. Without either: every kernel as it boots, then the row that is locked down.
pub(crate) fn rows(names: &[String], lockdown: Option<Lockdown>) -> Result<Vec<Row>> {
    let kernels = kernels::select(names)?;
    let mut rows: Vec<Row> = kernels.iter().map(|&pinned| Row { pinned, lockdown }).collect();
    if names.is_empty() && lockdown.is_none() {
        let (name, level) = LOCKED_DOWN;
        let locked_down = kernels.into_iter().filter(|pinned| pinned.name == name);
        rows.extend(locked_down.map(|pinned| Row { pinned, lockdown: Some(level) }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kernels: &[&str], lockdown: Option<Lockdown>) -> Vec<String> {
        let kernels: Vec<String> = kernels.iter().map(|&name| name.to_owned()).collect();
        rows(&kernels, lockdown).unwrap().iter().map(Row::to_string).collect()
    }

    #[test]
    fn the_whole_matrix_has_each_kernel_and_one_that_is_locked_down() {
        let all = ["5.10", "6.1", "6.12.43", "6.12", "6.18", "7.3", "6.12 lockdown=confidentiality"];
        assert_eq!(names(&[], None), all);
    }

    #[test]
    fn a_named_kernel_is_one_row_at_the_level_asked_for() {
        assert_eq!(names(&["6.12"], None), ["6.12"]);
        assert_eq!(names(&["6.1"], Some(Lockdown::Integrity)), ["6.1 lockdown=integrity"]);
        assert_eq!(names(&[], Some(Lockdown::Integrity)).len(), kernels::PINNED.len());
    }

    #[test]
    fn a_short_run_has_every_plan_and_both_ends() {
        let rows = rows(&[], None).unwrap();
        let tested =
            |plan| -> Vec<String> { rows.iter().filter(|row| row.is_short(plan)).map(Row::to_string).collect() };
        let locked_down = "6.12 lockdown=confidentiality";
        assert_eq!(tested("fentry"), ["5.10", "6.12.43", "7.3", locked_down]);
        for plan in &PLANS[1..] {
            assert_eq!(tested(plan), ["5.10", locked_down]);
        }
    }

    #[test]
    fn only_confidentiality_refuses_and_only_kprobes() {
        let refused = |lockdown| {
            let row = Row { pinned: &kernels::PINNED[0], lockdown };
            PLANS.map(|plan| row.refuses(plan))
        };
        assert_eq!(refused(Some(Lockdown::Confidentiality)), [false, true, false]);
        assert_eq!(refused(Some(Lockdown::Integrity)), [false; 3]);
        assert_eq!(refused(None), [false; 3]);
    }
}
