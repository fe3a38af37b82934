//! Real programs that lose data: C, Go, Java, Node, Python, Rust, curl, nginx.

mod curl;
pub(crate) mod go;
mod java;
pub(crate) mod nginx;
mod resolvers;
mod scripts;
mod large;
mod short_lived;
mod stacks;

use crate::suite::Suite;

pub(crate) fn tests(suite: &mut Suite) {
    go::tests(suite);
    scripts::tests(suite);
    java::tests(suite);
    large::tests(suite);
    stacks::tests(suite);
    curl::tests(suite);
    short_lived::tests(suite);
    nginx::tests(suite);
    resolvers::tests(suite);
}
