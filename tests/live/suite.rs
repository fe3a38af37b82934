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

    /// Names of the modules, the one with most tests first.
    pub(crate) fn modules(&self) -> Vec<String> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for trial in &self.trials {
            *counts.entry(module(trial.name())).or_default() += 1;
        }
        let mut modules: Vec<_> = counts.into_iter().collect();
        modules.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        modules.into_iter().map(|(module, _)| module.to_owned()).collect()
    }

    /// The trials for the runner, of one module or of all.
    pub(crate) fn into_trials(self, of: Option<&str>) -> Vec<Trial> {
        if of.is_none_or(|of| self.trials.first().is_some_and(|first| module(first.name()) == of)) {
            for (reason, count) in &self.ignored {
                eprintln!("{count} tests ignored, not passed: {reason}");
            }
        }
        self.trials.into_iter().filter(|trial| of.is_none_or(|of| module(trial.name()) == of)).collect()
    }
}

/// The first part of a test's name.
fn module(name: &str) -> &str {
    name.split("::").next().unwrap_or(name)
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
