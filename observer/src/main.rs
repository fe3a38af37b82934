//! The program: parses, runs, and turns the outcome into an exit status.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use conn_observer::{
    cli::{Cli, Task},
    diagnose::diagnose,
    event, observe,
};

/// It could not run.
const CANNOT_RUN: u8 = 2;

fn main() -> ExitCode {
    match Cli::from_arguments().and_then(Cli::task).and_then(perform) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            diagnose(format_args!("{error:#}"));
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn perform(task: Task) -> Result<u8> {
    match task {
        Task::Schema => {
            let schema = schemars::schema_for!(event::Event);
            let text = serde_json::to_string_pretty(&schema).context("cannot render the schema")?;
            match writeln!(io::stdout(), "{text}") {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
                written => written.map(|()| 0).context("cannot write the schema"),
            }
        }
        Task::Observe(options) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the event loop")?;
            let outcome = runtime.block_on(observe::run(&options))?;
            Ok(if outcome.failed { 1 } else { outcome.command.unwrap_or(0) })
        }
    }
}
