//! Metrics over HTTP, for Prometheus and whoever reads its text format. Events are counted on the sink's thread, scrapes
//! answered on another: neither waits for the other, and nobody else for either. The metrics and their names are in
//! [`metric`].

mod bounded;
mod connections;
mod counted;
mod health;
mod metric;
mod page;
mod residuals;
mod server;
mod usage;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use self::{counted::Counted, page::Page, usage::Usage};
use super::{Kind, Setup, Sink, Surroundings, Undelivered};
use crate::{delivery::Delivery, options::PrometheusSink};

/// The sink.
pub(super) struct Prometheus {
    address: SocketAddr,
    listener: TcpListener,
    counted: Counted,
    page: Arc<Page>,
    server: Option<Server>,
}

/// The thread that answers.
struct Server {
    thread: JoinHandle<()>,
    /// Ends it.
    stop: oneshot::Sender<()>,
}

impl Prometheus {
    /// Listens, while that may take privileges. Nobody is answered before the sink's thread is at work.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub(super) fn open(settings: &PrometheusSink, around: &Surroundings) -> Result<Self> {
        let address = settings.listen;
        let listener = TcpListener::bind(address).with_context(|| {
            format!(
                "cannot listen at {address} for metrics; is that another observer or exporter? `listen` sets another"
            )
        })?;
        listener.set_nonblocking(true)?;
        let counted = Counted::new(settings.labels as usize)?;
        let usage = Usage::open().context("cannot read /proc/self for the metrics of the observer itself")?;
        let page = Page::new(counted.registry(), usage, around);
        Ok(Self { address, listener, counted, page: Arc::new(page), server: None })
    }

    /// Has a thread that answers. It inherits what the sink's thread is confined to.
    fn serve(&mut self) -> Result<()> {
        if self.server.as_ref().is_some_and(|server| !server.thread.is_finished()) {
            return Ok(());
        }
        let begin = || {
            let listener = self.listener.try_clone()?;
            let runtime = server::runtime()?;
            let (stop, stopped) = oneshot::channel();
            let page = Arc::clone(&self.page);
            let serve = move || runtime.block_on(server::serve(listener, page, stopped));
            let thread = thread::Builder::new().name("metrics".to_owned()).spawn(serve)?;
            std::io::Result::Ok(Server { thread, stop })
        };
        self.server = Some(begin().with_context(|| format!("cannot answer at {}", self.address))?);
        Ok(())
    }
}

impl Sink for Prometheus {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        let events = delivery.events();
        events.iter().skip(from).for_each(|event| self.counted.count(event));
        // They are counted whether anybody can ask or not.
        self.serve().map_err(|error| Undelivered::at(events.len(), error))
    }

    fn idle(&mut self) -> Result<()> {
        self.serve()
    }

    fn adopt(&mut self, setup: &Setup) -> bool {
        // It is of the same name, so it listens at the same address.
        let Kind::Prometheus(settings) = &setup.kind else { return false };
        self.counted.allow(settings.labels as usize);
        true
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            // A thread that is gone needs no word.
            let _ = server.stop.send(());
            let _ = server.thread.join();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
