//! Each hook plan: whether the kernel takes it, and which one an observer would use.

use super::report::{Check, PlanTrial};
use crate::{
    kernel::{self, Refused},
    options::Options,
    plan::{Coverage, Plan, PlanChoice},
};

/// A plan on trial, attached for a moment.
pub(crate) struct Trial {
    pub(crate) plan: Plan,
    pub(crate) outcome: Result<Taken, Refused>,
}

/// A plan that the kernel took.
pub(crate) struct Taken {
    pub(crate) hooks: Vec<String>,
    /// What it cannot see here.
    pub(crate) coverage: Vec<Coverage>,
}

/// Loads and attaches every plan, one after the other, and detaches it again.
pub(crate) fn try_all(options: &Options) -> Vec<Trial> {
    let attempt = |plan| {
        let taken = kernel::try_plan(plan, options);
        Trial { plan, outcome: taken.map(|one| Taken { hooks: one.hooks.clone(), coverage: one.coverage.clone() }) }
    };
    Plan::ALL.into_iter().map(attempt).collect()
}

/// The plan that an observer would use.
pub(crate) fn in_force(requested: PlanChoice, trials: &[Trial]) -> Option<Plan> {
    let usable = |plan: &Plan| trials.iter().any(|trial| trial.plan == *plan && trial.outcome.is_ok());
    requested.plans().into_iter().find(usable)
}

/// The plans for the report.
pub(crate) fn rows(requested: PlanChoice, trials: &[Trial]) -> Vec<PlanTrial> {
    let chosen = in_force(requested, trials);
    let row = |trial: &Trial| {
        let refused = trial.outcome.as_ref().err();
        PlanTrial {
            plan: trial.plan.name(),
            attaches: trial.outcome.is_ok(),
            in_force: chosen == Some(trial.plan),
            hooks: trial.outcome.as_ref().map(|taken| taken.hooks.clone()).unwrap_or_default(),
            refused_hook: refused.map(|refused| refused.hook.clone()),
            error: refused.map(|refused| refused.error.clone()),
        }
    };
    trials.iter().map(row).collect()
}

/// One check a plan, then the choice and what it cannot see.
pub(crate) fn checks(requested: PlanChoice, trials: &[Trial]) -> Vec<Check> {
    let mut checks: Vec<Check> = trials.iter().map(|trial| one(requested, trial)).collect();
    checks.push(choice(requested, trials));
    let chosen = in_force(requested, trials);
    let taken = trials.iter().find(|trial| Some(trial.plan) == chosen).and_then(|trial| trial.outcome.as_ref().ok());
    checks.extend(taken.map(coverage));
    checks
}

fn one(requested: PlanChoice, trial: &Trial) -> Check {
    let name = format!("plan_{}", trial.plan.name());
    match &trial.outcome {
        Ok(taken) => Check::ok(name, format!("loads and attaches: {}", taken.hooks.join(", "))),
        Err(refused) => {
            let detail = format!("refused at {}: {}", refused.hook, refused.error);
            let remedy = if refused.hook == kernel::NO_HOOK { NO_HOOK_TO_BLAME } else { needs(trial.plan) };
            match requested == PlanChoice::Only(trial.plan) {
                true => Check::failed(name, detail, remedy),
                false => Check::limited(name, detail).with_remedy(remedy),
            }
        }
    }
}

fn choice(requested: PlanChoice, trials: &[Trial]) -> Check {
    const NAME: &str = "hooks";
    let best = in_force(PlanChoice::Auto, trials);
    match (requested, in_force(requested, trials), best) {
        (PlanChoice::Auto, Some(plan), _) => Check::ok(NAME, format!("--hooks auto takes {}", plan.name())),
        (PlanChoice::Only(_), Some(plan), _) => Check::ok(NAME, format!("{} as requested", plan.name())),
        (PlanChoice::Only(plan), None, Some(best)) => Check::failed(
            NAME,
            format!("--hooks {} does not work here", plan.name()),
            format!("use --hooks auto, which takes {}", best.name()),
        ),
        (_, None, _) => Check::failed(
            NAME,
            "the kernel takes no plan: nothing can be observed",
            "check that BPF is allowed here: a container's seccomp profile and the security policy (LSM) decide",
        ),
    }
}

const NO_HOOK_TO_BLAME: &str = "no hook is to blame: check that BPF maps may be made here (a container's seccomp \
                                profile, RLIMIT_MEMLOCK before 5.11), or report it";

/// What a plan asks of the kernel.
fn needs(plan: Plan) -> &'static str {
    match plan {
        Plan::Fentry => {
            "fentry needs BPF trampolines (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, CONFIG_DEBUG_INFO_BTF) and a \
             kernel that does not forbid them"
        }
        Plan::Kprobe => "kprobe needs CONFIG_KPROBES and CONFIG_KPROBE_EVENTS, and no lockdown=confidentiality",
        Plan::Tracepoint => "tracepoint needs CONFIG_DEBUG_INFO_BTF and permission for BPF tracing programs",
    }
}

fn coverage(taken: &Taken) -> Check {
    const NAME: &str = "coverage";
    if taken.coverage.is_empty() {
        return Check::ok(NAME, "this plan sees every cause on this kernel");
    }
    let limits: Vec<String> = taken.coverage.iter().map(|one| format!("{}: {}", one.what, one.limit)).collect();
    Check::limited(NAME, limits.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{super::report::State, *};

    fn trial(plan: Plan, takes: bool) -> Trial {
        let taken = || Taken { hooks: vec!["tp_btf/tcp_send_reset".to_owned()], coverage: plan.coverage() };
        let refused = || Refused {
            plan,
            hook: "fentry/__tcp_close".to_owned(),
            error: "EPERM (Operation not permitted)".to_owned(),
        };
        Trial { plan, outcome: if takes { Ok(taken()) } else { Err(refused()) } }
    }

    fn trials(takes: [bool; 3]) -> Vec<Trial> {
        Plan::ALL.into_iter().zip(takes).map(|(plan, takes)| trial(plan, takes)).collect()
    }

    fn state(checks: &[Check], name: &str) -> State {
        checks.iter().find(|check| check.name == name).unwrap().state
    }

    #[test]
    fn auto_takes_the_best_plan_that_works() {
        let trials = trials([false, false, true]);
        let checks = checks(PlanChoice::Auto, &trials);
        assert!(checks.iter().all(|check| check.state != State::Failed), "{checks:?}");
        assert_eq!(state(&checks, "plan_fentry"), State::Limited);
        assert_eq!(state(&checks, "hooks"), State::Ok);
        assert_eq!(state(&checks, "coverage"), State::Limited);
        assert!(rows(PlanChoice::Auto, &trials)[2].in_force);
    }

    #[test]
    fn a_requested_plan_that_is_refused_fails_with_the_kernels_error() {
        let checks = checks(PlanChoice::Only(Plan::Fentry), &trials([false, false, true]));
        assert_eq!(state(&checks, "plan_fentry"), State::Failed);
        assert_eq!(state(&checks, "plan_kprobe"), State::Limited);
        assert_eq!(state(&checks, "hooks"), State::Failed);
        assert_eq!(checks[0].detail, "refused at fentry/__tcp_close: EPERM (Operation not permitted)");
        assert_eq!(checks[3].remedy.as_deref(), Some("use --hooks auto, which takes tracepoint"));
    }

    #[test]
    fn no_plan_at_all_fails() {
        let checks = checks(PlanChoice::Auto, &trials([false; 3]));
        assert_eq!(state(&checks, "hooks"), State::Failed);
    }
}
