//! A sink whose settings have changed while it worked: opened as soon as that is possible, so that nothing that waits is
//! lost meanwhile.

use anyhow::Result;

use super::{Setup, Sink, Surroundings, Undelivered};
use crate::delivery::Delivery;

/// The sink, once it is open.
pub(super) struct Changed {
    setup: Setup,
    around: Surroundings,
    sink: Option<Box<dyn Sink>>,
}

impl Changed {
    /// Not open yet.
    pub(super) fn to(setup: Setup, around: Surroundings) -> Self {
        Self { setup, around, sink: None }
    }

    fn open(&mut self) -> Result<&mut dyn Sink> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => self.setup.open(&self.around)?,
        };
        Ok(self.sink.insert(sink).as_mut())
    }
}

impl Sink for Changed {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        self.open().map_err(|error| Undelivered::at(from, error))?.deliver(delivery, from)
    }

    fn batch(&self) -> usize {
        self.sink.as_ref().map_or(1, |sink| sink.batch())
    }

    fn idle(&mut self) -> Result<()> {
        self.open()?.idle()
    }

    fn reopen(&mut self) -> Result<()> {
        self.open()?.reopen()
    }

    fn finish(&mut self) -> Result<()> {
        self.sink.as_mut().map_or(Ok(()), |sink| sink.finish())
    }
}
