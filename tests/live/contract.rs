//! What a script may rely on: command line, exit status, streams, filters, life and death.

mod churn;
mod command;
mod doctor;
mod filters;
mod lifecycle;
mod output;
mod refusals;
mod snapshot;
mod top;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    refusals::tests(suite);
    lifecycle::tests(suite);
    output::tests(suite);
    command::tests(suite);
    filters::tests(suite);
    churn::tests(suite);
    doctor::tests(suite);
    snapshot::tests(suite);
    top::tests(suite);
}
