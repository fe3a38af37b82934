//! When each event's time has come.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::event::Event;

/// Events that go out together at most.
const BATCH: usize = 256;

/// How fast events come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as they are taken.
    AtOnce,
    /// So many times as fast as they happened.
    Times(f64),
}

/// Hands out events when their time has come.
pub(super) struct Pacer {
    events: mpsc::Receiver<Event>,
    speed: Speed,
    /// The time of the first event, and when it was handed out.
    begin: Option<(i64, Instant)>,
    held: Option<Event>,
}

impl Pacer {
    pub(super) fn new(events: mpsc::Receiver<Event>, speed: Speed) -> Self {
        Self { events, speed, begin: None, held: None }
    }

    /// The next events that are due together; None behind the last one.
    pub(super) async fn next(&mut self) -> Option<Vec<Event>> {
        let first = match self.held.take() {
            Some(event) => event,
            None => self.events.recv().await?,
        };
        if let Some(due) = self.due(&first) {
            sleep_until(due).await;
        }
        let now = Instant::now();
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match self.events.try_recv() {
                Ok(event) if self.due(&event).is_none_or(|due| due <= now) => batch.push(event),
                Ok(event) => {
                    self.held = Some(event);
                    break;
                }
                Err(_) => break,
            }
        }
        Some(batch)
    }

    /// When an event is due; None for at once.
    fn due(&mut self, event: &Event) -> Option<Instant> {
        let Speed::Times(times) = self.speed else { return None };
        let time = event.time.unix_ns();
        let (first, begin) = *self.begin.get_or_insert_with(|| (time, Instant::now()));
        let since = Duration::from_nanos(u64::try_from(time.saturating_sub(first)).unwrap_or(0));
        begin.checked_add(Duration::try_from_secs_f64(since.as_secs_f64() / times).ok()?)
    }
}
