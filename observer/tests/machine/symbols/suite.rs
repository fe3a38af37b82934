//! Lists of tests with what they need.

use std::{env, fs};

use libtest_mimic::Trial;

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) run: fn(),
}

/// What a test cannot do without.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A program in the search path.
    Tool(&'static str),
    /// To be root.
    Root,
    /// To read addresses of the kernel.
    KernelAddresses,
}

/// `tests![[needs] function, …]`: the function's name is the test's sentence.
macro_rules! tests {
    ($([$($need:expr),*] $test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::symbols::suite::Test] = &[$(crate::symbols::suite::Test {
            name: concat!(module_path!(), "::", stringify!($test)),
            needs: &[$($need),*],
            run: $test,
        }),*];
    };
}
pub(crate) use tests;

/// A test for the runner.
pub(super) fn trial(test: Test) -> Trial {
    let missing = test.needs.iter().find_map(|need| need.missing());
    crate::trial(test.name.trim_start_matches("machine::"), &missing, test.run)
}

impl Need {
    /// Why it is not met; None when it is.
    fn missing(self) -> Option<String> {
        match self {
            Self::Tool(name) => {
                let path = env::var_os("PATH").unwrap_or_default();
                let found = env::split_paths(&path).any(|folder| folder.join(name).is_file());
                (!found).then(|| format!("no {name} on this machine"))
            }
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Self::KernelAddresses => {
                let all = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
                let hidden = all.lines().take(100).all(|line| line.starts_with("0000000000000000"));
                hidden.then(|| "the kernel hides its addresses".to_owned())
            }
        }
    }
}
