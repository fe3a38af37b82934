//! Faults of sinks, and of the daemon as a whole: what they cost, who says so, and that all is well again afterwards.

mod hanging;
mod killed;
mod long;
mod stopped;
mod unwritable;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    unwritable::tests(suite);
    hanging::tests(suite);
    stopped::tests(suite);
    killed::tests(suite);
    long::tests(suite);
}
