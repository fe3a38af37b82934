//! The list of tests. A test whose needs are not met becomes an ignored trial, and each reason is told once on stderr.

use std::collections::BTreeMap;

use conn_observer_tests::feature::Feature;
use libtest_mimic::Trial;

/// Collects tests by module.
#[derive(Default)]
pub(crate) struct Suite {
    trials: Vec<Trial>,
    ignored: BTreeMap<String, usize>,
}

impl Suite {
    /// Adds a test called `module::name`.
    pub(crate) fn add(&mut self, module: &str, name: &str, needs: &[Feature], test: impl FnOnce() + Send + 'static) {
        let runner = move || {
            test();
            Ok(())
        };
        let trial = Trial::test(format!("{module}::{name}"), runner);
        let trial = match needs.iter().find_map(|need| need.missing().map(|reason| (need, reason))) {
            None => trial,
            Some((need, reason)) => {
                *self.ignored.entry(reason).or_default() += 1;
                trial.with_ignored_flag(true).with_kind(format!("needs {}", need.name()))
            }
        };
        self.trials.push(trial);
    }

    /// The trials for the runner.
    pub(crate) fn into_trials(self) -> Vec<Trial> {
        for (reason, count) in &self.ignored {
            eprintln!("{count} tests ignored, not passed: {reason}");
        }
        self.trials
    }
}

/// `add!(suite, "module", [needs], [function, …])`: the function's name is the test's sentence.
macro_rules! add {
    ($suite:expr, $module:expr, $needs:expr, [$($test:path),* $(,)?]) => {
        $(
            let path = stringify!($test);
            let name = path.rsplit("::").next().unwrap_or(path).trim();
            $suite.add($module, name, &$needs, $test);
        )*
    };
}
pub(crate) use add;
