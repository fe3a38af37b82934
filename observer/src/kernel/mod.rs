//! The kernel side as the observer sees it: load, attach, read, detach. The only modules that know aya.
//! Nothing here formats, prints or decides what a finding means.

mod attach;
pub(crate) mod btf;
mod filters;
mod hooks;
mod log;
mod reasons;
mod refusal;
mod settings;
mod totals;

pub use attach::{Attached, Refused, attach};
pub use reasons::Reasons;
pub use refusal::preflight;
pub use totals::{NamespaceTotal, Tally};
