//! One plan on trial, for `conn-observer doctor`.

use super::attach::{Attached, Refused, RefusedAll, attach};
use crate::{
    options::Options,
    plan::{Plan, PlanChoice},
};

/// What was refused when it was no hook: the maps of the kernel object, their limits, the kernel's BTF.
pub const NO_HOOK: &str = "the kernel object";

/// Loads and attaches this plan and no other, whatever the options ask for. Dropping it detaches it.
///
/// # Errors
/// Names the hook and the kernel's error.
pub fn try_plan(plan: Plan, options: &Options) -> Result<Attached, Refused> {
    let options = Options { hooks: PlanChoice::Only(plan), ..options.clone() };
    attach(&options, None).map_err(|error| {
        let otherwise = Refused { plan, hook: NO_HOOK.to_owned(), error: format!("{error:#}") };
        let refused = error.downcast::<RefusedAll>().ok().and_then(|mut all| all.plans.pop());
        refused.unwrap_or(otherwise)
    })
}
