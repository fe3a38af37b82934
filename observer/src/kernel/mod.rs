//! The kernel side as the observer sees it: load, attach, read, detach. The only modules that know aya.
//! Nothing here formats, prints or decides what a finding means.

mod attach;
pub(crate) mod btf;
mod churn;
mod filters;
mod grace;
mod hooks;
mod index;
mod loader;
mod log;
mod owners;
mod probe;
mod reasons;
mod refusal;
mod runs;
mod settings;
mod standin;
mod survey;
mod tap;
mod totals;
mod trial;

pub use attach::{Attached, Refused, attach};
pub use reasons::Reasons;
pub use refusal::{effective_capabilities, in_own_pid_namespace, lockdown_level, preflight};
pub use runs::{ProgramRuns, RunClock};
pub use survey::{FieldFound, Survey, survey};
pub use totals::{NamespaceTotal, Tally};
pub use trial::{NO_HOOK, try_plan};
