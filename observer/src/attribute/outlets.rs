//! The ways out of this stage: the stream, and the sinks.

use std::sync::Arc;

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    delivery::Delivery,
    output::Output,
    sink::{Counts, Fan, Lanes},
};

/// Where completed events go.
pub struct Outlets {
    stream: Option<Stream>,
    sinks: Fan,
}

struct Stream {
    sender: mpsc::Sender<Arc<Delivery>>,
    /// Beside sinks it never waits, and loses what its queue has no room for; None when it is alone.
    counts: Option<Arc<Counts>>,
}

/// The writer of the stream has ended.
pub(super) struct Ended;

impl Outlets {
    /// Of the stream and the sinks.
    pub(super) fn of(output: Option<&Output>, lanes: &Lanes) -> Self {
        let sinks = lanes.fan();
        let stream = output.map(|output| Stream {
            sender: output.sender(),
            counts: (!sinks.is_empty()).then(|| lanes.stream_counts()),
        });
        Self { stream, sinks }
    }

    /// Sends events every way.
    ///
    /// # Errors
    /// When the writer of the stream has ended.
    pub(super) fn send(&self, delivery: Delivery) -> Result<(), Ended> {
        let delivery = Arc::new(delivery);
        self.sinks.offer(&delivery);
        let Some(stream) = &self.stream else { return Ok(()) };
        let Some(counts) = &stream.counts else {
            return stream.sender.blocking_send(delivery).map_err(|_| Ended);
        };
        let events = delivery.events().len() as u64;
        counts.accept(events);
        match stream.sender.try_send(delivery) {
            Ok(()) => counts.deliver(events),
            Err(TrySendError::Full(_)) => counts.lose(events),
            Err(TrySendError::Closed(_)) => return Err(Ended),
        }
        Ok(())
    }
}
