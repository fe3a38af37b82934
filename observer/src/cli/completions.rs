//! `completions`: scripts made from the very arguments that are parsed.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::aot::{self, Bash, Fish, Zsh};

use super::{Cli, NAME, Task};

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell that reads them
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// For /usr/share/bash-completion/completions/conn-observer
    Bash,
    /// For /usr/share/zsh/vendor-completions/_conn-observer
    Zsh,
    /// For /usr/share/fish/vendor_completions.d/conn-observer.fish
    Fish,
}

impl CompletionsArguments {
    /// The script to print.
    pub(super) fn task(self) -> Task {
        Task::Print(match self.shell {
            Shell::Bash => repair_bash(&generate(Bash)),
            Shell::Zsh => generate(Zsh),
            Shell::Fish => repair_fish(&generate(Fish)),
        })
    }
}

fn generate(shell: impl aot::Generator) -> String {
    let mut script = Vec::new();
    aot::generate(shell, &mut Cli::command(), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// A program with a hyphen in its name is spelt in two ways, so that nothing is offered after a sub-command
/// (clap-rs/clap#6421).
fn repair_bash(script: &str) -> String {
    script.replace("conn__subcmd__observer", "conn__observer")
}

/// While an option waits for its value, the line cannot be parsed, and no value is offered: it is parsed with one.
fn repair_fish(script: &str) -> String {
    const PARSE: &str = "argparse -s (__fish_conn_observer_global_optspecs) -- $cmd";
    script.replace(
        &format!("{PARSE} 2>/dev/null\n    or return"),
        &format!("{PARSE} 2>/dev/null\n    or {PARSE} '' 2>/dev/null\n    or return"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;

    #[test]
    fn every_cause_and_sub_command_is_offered() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let Task::Print(script) = (CompletionsArguments { shell }).task() else { panic!("nothing to print") };
            for word in Cause::ALL.iter().map(|cause| cause.name()).chain(["doctor", "schema", "fentry", "harmful"]) {
                assert!(script.contains(word), "{shell:?} does not offer {word}");
            }
        }
    }

    #[test]
    fn what_is_repaired_is_still_broken() {
        assert_ne!(repair_bash(&generate(Bash)), generate(Bash), "clap-rs/clap#6421 is fixed: the repair can go");
        assert_ne!(repair_fish(&generate(Fish)), generate(Fish), "fish's script has changed: does it need the repair?");
    }
}
