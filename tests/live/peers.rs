//! Real programs that lose data: Go, Python, Node, curl, nginx.

mod curl;
mod go;
mod nginx;
mod scripts;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    go::tests(suite);
    scripts::tests(suite);
    curl::tests(suite);
    nginx::tests(suite);
}
