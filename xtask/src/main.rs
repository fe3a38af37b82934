//! The project's chores, `cargo xtask …`: each is one module, and `ci` is exactly what CI runs.

mod artifacts;
mod digest;
mod ebpf;
mod process;
mod tally;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::bail;
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
    /// Build the kernel object observer/bpf/conn-observer.bpf.o from observer-ebpf.
    Ebpf {
        /// Only check that the committed object is what the sources give.
        #[arg(long)]
        check: bool,
    },
    /// Run the live tests on other kernels, once per hook plan.
    Vm(vm::Options),
}

fn main() -> ExitCode {
    match chore(Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(chore: Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Ebpf { check: false } => ebpf::write(),
        Chore::Ebpf { check: true } => ebpf::check(),
        Chore::Vm(options) => judge(vm::run(&options)?),
    }
}

/// Failed tests make a chore fail.
fn judge(tally: Tally) -> anyhow::Result<()> {
    if tally.failed > 0 {
        bail!("{tally}");
    }
    Ok(())
}
