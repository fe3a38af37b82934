//! A whole run: module by module, as many at a time as there are processors, each in a process of its own that runs one test
//! after the other.
//!
//! Two tests in one process would disturb each other: whatever one of them starts has, until its first instruction, a copy
//! of every socket of the other, and closes them in its stead.

use std::io::{BufRead as _, BufReader};
use std::num::NonZero;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread};

/// Names the module in its process.
const VARIABLE: &str = "CONN_OBSERVER_TESTS_OF";

/// The module that this process is for; None for all of them.
pub(crate) fn own() -> Option<String> {
    env::var(VARIABLE).ok()
}

/// Runs these modules. Lines of several come out one by one, as they come.
pub(crate) fn run(modules: Vec<String>) -> ExitCode {
    let failed = AtomicBool::new(false);
    // Taken from the end.
    let queue = Mutex::new(modules.into_iter().rev().collect::<Vec<_>>());
    let next = || queue.lock().unwrap().pop();
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(module) = next() {
                    if !passes(&module) {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if failed.into_inner() { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn passes(module: &str) -> bool {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.env(VARIABLE, module).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a process of its own");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    for line in output.split(b'\n') {
        println!("{}", String::from_utf8_lossy(&line.expect("a line")));
    }
    child.wait().expect("its end").success()
}
