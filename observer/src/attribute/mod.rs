//! The stage between the stream and the output: a thread that completes each event with what takes time to find out, and
//! renders it. Behind a bounded queue: when it falls behind, the ring fills and the kernel side counts what is lost.

mod complete;
mod outlets;
mod people;
mod places;
mod programs;
mod stacks;
mod whole;

use std::thread;

use anyhow::{Context as _, Result};
use tokio::sync::{
    mpsc::{self, error::SendError},
    oneshot,
};

pub use self::complete::Completer;
use self::outlets::Outlets;
use crate::{
    options::{Options, Sinks},
    output::Output,
    sandbox::Confinement,
    sink::{Lanes, Ledger},
    stream::Batch,
};

/// Batches that may wait.
const QUEUE: usize = 4;

/// What reaches the thread.
pub enum Work {
    /// Events to complete.
    Batch(Batch),
    /// Other ways out from here on.
    Outlets(Outlets),
    /// What came before is complete and on its way.
    Mark(oneshot::Sender<()>),
}

/// The stage.
pub struct Stage {
    sender: mpsc::Sender<Work>,
    done: oneshot::Receiver<()>,
    output: Option<Output>,
    lanes: Lanes,
}

impl Stage {
    /// Starts the thread. Processes that are running are taken in before the first event is completed. The rules are for
    /// the thread that asks the resolver.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        options: &Options,
        output: Option<Output>,
        lanes: Lanes,
        resolver: Option<Confinement>,
    ) -> Result<Self> {
        let (sender, mut receiver) = mpsc::channel::<Work>(QUEUE);
        let (ended, done) = oneshot::channel();
        let mut outlets = Outlets::of(output.as_ref(), &lanes);
        let mut completer =
            Completer::new(options, lanes.ledger(), resolver).context("cannot start a thread for names and symbols")?;
        thread::Builder::new()
            .name("attribute".to_owned())
            .spawn(move || {
                completer.prepare();
                while let Some(work) = receiver.blocking_recv() {
                    match work {
                        Work::Outlets(others) => {
                            outlets = others;
                            outlets.begin();
                        }
                        // Nobody listens any more when the run has ended.
                        Work::Mark(reached) => drop(reached.send(())),
                        // The writer tells why it has ended.
                        Work::Batch(batch) => {
                            if outlets.send(completer.complete(batch)).is_err() {
                                break;
                            }
                        }
                    }
                }
                drop((outlets, receiver));
                // Nobody listens any more when the observer has given up waiting.
                let _ = ended.send(());
            })
            .context("cannot start the attribution thread")?;
        Ok(Self { sender, done, output, lanes })
    }

    /// Waits for room, for one batch.
    ///
    /// # Errors
    /// When the writer has ended: its error is in [`Stage::finish`].
    pub async fn reserve(&self) -> Result<mpsc::Permit<'_, Work>, SendError<()>> {
        self.sender.reserve().await
    }

    /// Told once all that was put in before is on its way out.
    pub async fn mark(&self) -> oneshot::Receiver<()> {
        let (reached, told) = oneshot::channel();
        // A thread that is gone reaches nothing.
        let _ = self.sender.send(Work::Mark(reached)).await;
        told
    }

    /// Whether writing the stream has failed, or the reader of a pipe, socket or terminal has gone away.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        self.sender.is_closed() || self.output.as_ref().is_some_and(Output::abandoned)
    }

    /// Counters of the sinks.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.lanes.ledger()
    }

    /// Changes to other sinks, behind the batches that wait.
    ///
    /// # Errors
    /// When one of them can never work so: then all is as before.
    pub async fn change(&mut self, sinks: &Sinks) -> Result<()> {
        let retired = self.lanes.change(sinks)?;
        // A thread that is gone holds no feed.
        let _ = self.sender.send(Work::Outlets(Outlets::of(self.output.as_ref(), &self.lanes))).await;
        tokio::spawn(retired.finish());
        Ok(())
    }

    /// Waits until everything is completed and written. A reader that went away is no error.
    ///
    /// # Errors
    /// When something of the stream could not be written.
    pub async fn finish(self) -> Result<()> {
        drop(self.sender);
        // An error means that the thread has ended in another way: the writer tells more.
        let _ = self.done.await;
        self.lanes.finish().await;
        match self.output {
            Some(output) => output.finish().await,
            None => Ok(()),
        }
    }
}
