//! The live tests: `cargo test --test live -- [FILTER]`, all of them ([`modules`]), or some one after the other. Run as root they load the
//! observer into this kernel; what a machine cannot do is ignored, with the reason on stderr.
//!
//! With `--act` this binary is not a test but a process under observation ([`conn_observer_tests::actor`]).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod modules;
mod suite;

mod traffic;
mod scripted_traffic;
mod wide_traffic;

mod core;

mod contract;
mod loss;
mod packaging;
mod report;
mod peers;
mod deploy;
mod engines;
mod shell;
mod sinks;
mod faults;
mod sandbox;
mod record;

use std::process::ExitCode;

use conn_observer_tests::{actor, role};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == actor::FLAG) {
        return role::main(&words[1..]);
    }
    let mut suite = suite::Suite::default();
    traffic::tests(&mut suite);
    scripted_traffic::tests(&mut suite);
    wide_traffic::tests(&mut suite);
    core::tests(&mut suite);
    loss::tests(&mut suite);
    contract::tests(&mut suite);
    peers::tests(&mut suite);
    deploy::tests(&mut suite);
    engines::tests(&mut suite);
    shell::tests(&mut suite);
    sinks::tests(&mut suite);
    faults::tests(&mut suite);
    sandbox::tests(&mut suite);
    record::tests(&mut suite);
    packaging::tests(&mut suite);
    report::tests(&mut suite);
    if words.is_empty() && modules::own().is_none() {
        return modules::run(suite.modules());
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, suite.into_trials(modules::own().as_deref())).exit_code()
}
