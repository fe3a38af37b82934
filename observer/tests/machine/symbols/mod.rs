//! Stacks of real programs, compiled here, to symbols.

mod suite;
mod program;
mod ask;
mod native;
mod leaf;
mod gone;
mod elsewhere;
mod golang;
mod jit;
mod kernel;
mod large;
mod flood;
mod damaged;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let all = [
        native::TESTS,
        leaf::TESTS,
        gone::TESTS,
        elsewhere::TESTS,
        golang::TESTS,
        jit::TESTS,
        kernel::TESTS,
        large::TESTS,
        flood::TESTS,
        damaged::TESTS,
    ];
    all.concat().into_iter().map(suite::trial).collect()
}
