//! The ways out of this stage: the stream, and the sinks.

use std::sync::Arc;

use crate::{
    delivery::Delivery,
    output::{Ended, Output, Queue},
    sink::{Counts, Fan, Lanes},
};

/// Where completed events go.
pub struct Outlets {
    stream: Option<Stream>,
    sinks: Fan,
}

struct Stream {
    queue: Queue,
    /// Beside sinks it never waits, and loses what its queue has no room for; None when it is alone.
    counts: Option<Arc<Counts>>,
}

impl Outlets {
    /// Of the stream and the sinks.
    pub(super) fn of(output: Option<&Output>, lanes: &Lanes) -> Self {
        let sinks = lanes.fan();
        let beside = !sinks.is_empty();
        let stream = output.map(|output| {
            let queue = output.queue();
            if beside {
                // At once: it may be waited for.
                queue.stands(true);
            }
            Stream { queue, counts: beside.then(|| lanes.stream_counts()) }
        });
        Self { stream, sinks }
    }

    /// From here on events go these ways, and no others.
    pub(super) fn begin(&self) {
        if let Some(stream) = &self.stream {
            stream.queue.stands(stream.counts.is_some());
        }
    }

    /// Sends events every way.
    ///
    /// # Errors
    /// When the writer of the stream has ended.
    pub(super) fn send(&self, delivery: Delivery) -> Result<(), Ended> {
        let delivery = Arc::new(delivery);
        self.sinks.offer(&delivery);
        let Some(stream) = &self.stream else { return Ok(()) };
        let Some(counts) = &stream.counts else { return stream.queue.send_here(delivery) };
        let events = delivery.events().len() as u64;
        counts.accept(events);
        if stream.queue.offer(delivery)? {
            counts.deliver(events);
        } else {
            counts.lose(events);
        }
        Ok(())
    }
}
