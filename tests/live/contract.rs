//! What a script may rely on: command line, exit status, streams, filters, life and death.

mod command;
mod doctor;
mod filters;
mod lifecycle;
mod output;
mod refusals;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    refusals::tests(suite);
    lifecycle::tests(suite);
    output::tests(suite);
    command::tests(suite);
    filters::tests(suite);
    doctor::tests(suite);
}
