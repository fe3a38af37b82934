//! The project's chores, `cargo xtask …`: each is one module, and `ci` is exactly what CI runs.

mod artifacts;
mod bench;
mod ci;
mod digest;
mod dist;
mod docs;
mod ebpf;
mod fuzz;
mod privilege;
mod process;
mod python;
mod run;
mod setup;
mod tally;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use self::tally::Tally;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the observer and run it, as root.
    Run {
        /// The observer's own arguments, after `--`.
        #[arg(last = true, value_name = "ARGS")]
        arguments: Vec<String>,
    },
    /// Observe a client that makes the mistake conn-observer is for, as root.
    Demo,
    /// Run the unit tests, then the live tests as root.
    Test {
        /// Names of tests, in part.
        #[arg(last = true, value_name = "FILTER")]
        filter: Vec<String>,
    },
    /// Run the live tests on other kernels, once per hook plan.
    Vm(vm::Options),
    /// Build the kernel object observer/bpf/conn-observer.bpf.o from observer-ebpf.
    Ebpf {
        /// Only check that the committed object is what the sources give.
        #[arg(long)]
        check: bool,
    },
    /// Generate the pages, completions and the schema that come from the program itself.
    Docs {
        /// Only check that the committed ones are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Fuzz every parser of what strangers can write.
    Fuzz(fuzz::Options),
    /// Make the packages: tarball, .deb, image, Helm chart, bill of materials and checksums.
    Dist(dist::Options),
    /// Measure what observing costs, beside peers, as root.
    Bench(bench::Options),
    /// Install what the other chores need and this machine lacks.
    Setup,
    /// Everything that CI checks.
    Ci,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Run { arguments } => run::run(&arguments),
        Chore::Demo => run::demo(),
        Chore::Test { filter } => test::run(&filter).and_then(judge),
        Chore::Vm(options) => vm::run(&options).and_then(judge),
        Chore::Ebpf { check: false } => ebpf::write(),
        Chore::Ebpf { check: true } => ebpf::check(),
        Chore::Docs { check } => docs::run(check),
        Chore::Fuzz(options) => fuzz::run(&options),
        Chore::Dist(options) => dist::run(&options).and_then(judge),
        Chore::Bench(options) => bench::run(&options),
        Chore::Setup => setup::run(),
        Chore::Ci => return ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Failed tests make a chore fail.
fn judge(tally: Tally) -> Result<()> {
    if tally.failed > 0 {
        bail!("{tally}");
    }
    Ok(())
}
