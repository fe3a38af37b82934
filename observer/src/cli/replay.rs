//! The arguments of `replay`.

use anyhow::{Context as _, Result};
use clap::Args;

use super::{
    Look, Task,
    selection::{SelectionArguments, SourceArguments},
    sinks,
    values::FormatName,
};
use crate::{
    options::{Destination, Sinks},
    replay::{self, Replay, Speed},
};

/// The arguments of `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// How fast events come: original, 10x for ten times as fast, 0 for at once
    #[arg(long, value_name = "SPEED", default_value = "original", value_parser = speed, help_heading = "Output")]
    speed: Speed,
    /// Format of the events on standard output
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: FormatName,
    /// Send the events there, as an observer does; may be given several times. Nothing then goes to standard output
    #[arg(long, value_name = "KIND,KEY=VALUE,…", help_heading = "Output")]
    sink: Vec<String>,
}

impl ReplayArguments {
    /// The replay.
    ///
    /// # Errors
    /// When an option is wrong.
    pub(super) fn task(self) -> Result<Task> {
        let mut sinks = Sinks::default();
        sinks::add(&self.sink, &mut sinks)?;
        let replay = Replay {
            selection: self.selection.of_everything()?,
            speed: self.speed,
            output: if sinks.take_events() { Destination::Nowhere } else { Destination::Stdout },
            format: self.format.into(),
            sinks,
        };
        let source = self.source;
        Ok(Task::Look(Look(Box::new(move || {
            let store = source.open()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.context("cannot start the event loop")?.block_on(replay::run(store, &replay))?;
            Ok(0)
        }))))
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    let number = text.strip_suffix(['x', '×']).unwrap_or(text);
    match (text, number.parse::<f64>()) {
        ("original", _) => Ok(Speed::Times(1.0)),
        (_, Ok(0.0)) => Ok(Speed::AtOnce),
        (_, Ok(times)) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("expected original, 10x for ten times as fast, or 0 for at once".to_owned()),
    }
}
