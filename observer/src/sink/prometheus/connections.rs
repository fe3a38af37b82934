//! The connections that are open, a bounded number. A new one is always let in: when there are too many, it takes the
//! place of the one whose last request is the longest ago, so that whoever only holds connections keeps nobody out.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::task::JoinHandle;

/// Far more than scrapers need; each may hold an answer.
pub(super) const MOST: usize = 64;

/// The connections.
#[derive(Default)]
pub(super) struct Connections {
    open: Vec<Connection>,
    /// Counts signs of life on all of them.
    clock: Arc<AtomicU64>,
}

struct Connection {
    task: JoinHandle<()>,
    last: Arc<AtomicU64>,
}

/// Signs of life of one connection.
#[derive(Clone)]
pub(super) struct Pulse {
    clock: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// There was a request.
    pub(super) fn beat(&self) {
        self.last.store(self.clock.fetch_add(1, Relaxed) + 1, Relaxed);
    }
}

impl Connections {
    /// Lets a new one in; another may have to go.
    pub(super) fn admit(&mut self, serve: impl FnOnce(Pulse) -> JoinHandle<()>) {
        self.open.retain(|one| !one.task.is_finished());
        if self.open.len() >= MOST {
            let oldest = (0..self.open.len()).min_by_key(|index| self.open[*index].last.load(Relaxed));
            if let Some(oldest) = oldest {
                self.open.swap_remove(oldest).task.abort();
            }
        }
        let pulse = Pulse { clock: Arc::clone(&self.clock), last: Arc::default() };
        pulse.beat();
        let last = Arc::clone(&pulse.last);
        self.open.push(Connection { task: serve(pulse), last });
    }
}
