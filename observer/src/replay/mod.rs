//! `replay`: recorded events once more, at their own pace or another, to standard output or into sinks. Nothing is left
//! out: where there is no room, the replay waits.

mod pace;
#[cfg(test)]
mod tests;

use std::{future::pending, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{
    select,
    sync::{mpsc, oneshot},
    time,
};

use self::pace::Pacer;
pub use self::pace::Speed;
use crate::{
    delivery::Delivery,
    options::{Destination, Format, Sinks},
    output::{self, Output},
    signals::Signals,
    sink::{self, Fan},
    store::{Selection, Store},
    vitals::Vitals,
};

/// Events that are read ahead.
const AHEAD: usize = 1_024;

/// How often it is looked whether the reader of standard output is still there.
const LOOK: Duration = Duration::from_millis(250);

/// What is replayed, and how.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Which events.
    pub selection: Selection,
    /// How fast.
    pub speed: Speed,
    /// Where to besides the sinks.
    pub output: Destination,
    /// How events are written there.
    pub format: Format,
    /// Sinks.
    pub sinks: Sinks,
}

/// Replays, until the last event or a signal.
///
/// # Errors
/// When it cannot begin, the store cannot be read, or events did not arrive.
pub async fn run(store: Store, replay: &Replay) -> Result<()> {
    let output = output::Opened::open(&replay.output, replay.format)?;
    let sinks = sink::Opened::open(&replay.sinks, &Vitals::default())?;
    let mut signals = Signals::install(false)?;
    let output = output.map(|output| output.start(None)).transpose()?;
    let lanes = sinks.start(None)?;
    let (events, reader) = read(store, replay.selection.clone())?;
    let mut whole = false;
    {
        let fan = lanes.fan();
        let work = async {
            send(Pacer::new(events, replay.speed), output.as_ref(), &fan).await;
            fan.emptied().await;
        };
        select! {
            () = work => whole = true,
            () = abandoned(output.as_ref()) => {}
            _ = signals.next_end() => {}
        }
    }
    if let Some(output) = output {
        select! {
            written = output.finish() => written?,
            _ = signals.next_end() => bail!("interrupted before the reader of the events had taken the last lines"),
        }
    }
    let ledger = lanes.ledger();
    lanes.finish().await;
    if !whole {
        return Ok(());
    }
    // It says nothing where nobody has waited for it to end.
    reader.await.unwrap_or(Ok(()))?;
    match ledger.read().iter().map(|count| count.lost).sum::<u64>() {
        0 => Ok(()),
        lost => bail!("{lost} events did not arrive"),
    }
}

/// Reads events on a thread of its own, so that the one that waits for the time to come is not kept.
fn read(
    store: Store,
    selection: Selection,
) -> Result<(mpsc::Receiver<crate::event::Event>, oneshot::Receiver<Result<()>>)> {
    let (sender, events) = mpsc::channel(AHEAD);
    let (done, reader) = oneshot::channel();
    let work = move || {
        let read = store.events(&selection, |event| Ok(sender.blocking_send(event).is_ok()));
        drop(sender);
        // Nobody listens after a signal.
        let _ = done.send(read);
    };
    thread::Builder::new().name("replay".to_owned()).spawn(work).context("cannot start the thread that reads")?;
    Ok((events, reader))
}

/// Sends events when their time has come, until the last one or until nobody reads them.
async fn send(mut pacer: Pacer, output: Option<&Output>, fan: &Fan) {
    while let Some(events) = pacer.next().await {
        let delivery = Arc::new(Delivery::new(events));
        fan.wait(&delivery).await;
        fan.offer(&delivery);
        if let Some(output) = output
            && output.queue().send(delivery).await.is_err()
        {
            return;
        }
    }
}

/// Waits until the reader of standard output has gone away.
async fn abandoned(output: Option<&Output>) {
    let Some(output) = output else { return pending().await };
    while !output.abandoned() {
        time::sleep(LOOK).await;
    }
}
