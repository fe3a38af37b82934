//! Ways out beside the stream, with real receivers at their ends.

mod journald;
mod notify;
mod otlp;
mod prometheus;
mod syslog;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    syslog::tests(suite);
    journald::tests(suite);
    notify::tests(suite);
    otlp::tests(suite);
    prometheus::tests(suite);
}
