//! The program: parses, runs, and turns the outcome into an exit status.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use conn_observer::{
    cli::{Cli, Task},
    diagnose::diagnose,
    doctor, event, observe,
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
            print(&(text + "\n")).context("cannot write the schema")?;
            Ok(0)
        }
        Task::Doctor(request) => {
            let report = doctor::examine(&request);
            print(&report.render(request.options.format)?).context("cannot write the report")?;
            Ok(report.exit_code())
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

/// Writes to standard output. A reader that has seen enough is no error.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
