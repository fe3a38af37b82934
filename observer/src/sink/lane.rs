//! One sink's queue and thread. What fails is tried again, with pauses that grow, from where it stopped; meanwhile the
//! queue fills, and then events are lost and counted. The first failure is told, and the recovery.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use super::{Setup, Sink, Surroundings, changed::Changed, counts::Counts};
use crate::{
    delivery::Delivery,
    diagnose::diagnose,
    room::Room,
    sandbox::{self, Confinement},
};

/// The first pause after a failure; each next one is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The longest one: a receiver that is back is used again within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often an idle sink is asked to look after itself.
const IDLE: Duration = Duration::from_secs(1);

/// What reaches a sink's thread, in this order.
enum Errand {
    Deliver(Arc<Delivery>),
    Reopen,
    Change(Box<Setup>, Surroundings),
}

/// The end of a sink's queue that events are put into.
#[derive(Clone)]
pub(super) struct Feed {
    sender: Sender<Errand>,
    room: Arc<Room>,
    counts: Arc<Counts>,
}

impl Feed {
    /// Puts events into the queue, or counts them as lost.
    pub(super) fn offer(&self, delivery: &Arc<Delivery>) {
        let events = delivery.events().len() as u64;
        let bytes = delivery.json().bytes() as u64;
        self.counts.accept(events);
        if !self.room.take(bytes) || self.sender.send(Errand::Deliver(Arc::clone(delivery))).is_err() {
            self.counts.lose(events);
        }
    }
}

impl Feed {
    /// Waits until there is room for events.
    pub(super) async fn wait(&self, delivery: &Delivery) {
        self.room.wait(delivery.json().bytes() as u64).await;
    }

    /// Waits until the sink has dealt with everything.
    pub(super) async fn emptied(&self) {
        self.room.emptied().await;
    }
}

/// A sink at work.
pub(super) struct Lane {
    pub(super) setup: Setup,
    feed: Feed,
    closing: Arc<Closing>,
    done: oneshot::Receiver<()>,
}

impl Lane {
    /// Starts its thread, under these rules.
    ///
    /// # Errors
    /// When there can be no thread under such rules.
    pub(super) fn start(setup: Setup, sink: Box<dyn Sink>, rules: Option<Confinement>) -> Result<Self> {
        let (sender, errands) = mpsc::channel();
        let feed = Feed { sender, room: Arc::new(Room::new(setup.queue)), counts: Arc::new(Counts::of(&setup.name)) };
        let closing = Arc::new(Closing::default());
        let (ended, done) = oneshot::channel();
        let worker = Worker {
            name: setup.name.clone(),
            sink,
            counts: Arc::clone(&feed.counts),
            room: Arc::clone(&feed.room),
            closing: Arc::clone(&closing),
        };
        let work = move || {
            worker.run(&errands);
            // Nobody listens any more when the observer has given up waiting.
            let _ = ended.send(());
        };
        sandbox::spawn("sink", rules, work)
            .with_context(|| format!("cannot start the thread of sink {}", setup.name))?;
        Ok(Self { setup, feed, closing, done })
    }

    pub(super) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    pub(super) fn counts(&self) -> &Arc<Counts> {
        &self.feed.counts
    }

    /// Has the sink open its files anew, behind what waits.
    pub(super) fn reopen(&self) {
        // A thread that is gone has nothing open.
        let _ = self.feed.sender.send(Errand::Reopen);
    }

    /// Goes on with other settings, behind what waits.
    pub(super) fn change(&mut self, setup: Setup, around: Surroundings) {
        self.feed.room.resize(setup.queue);
        self.setup = setup.clone();
        let _ = self.feed.sender.send(Errand::Change(Box::new(setup), around));
    }

    /// Ends it once everything is delivered, or at the deadline. Nobody else may hold a feed.
    pub(super) async fn finish(self, deadline: Instant) -> Arc<Counts> {
        self.closing.close(deadline);
        let Feed { sender, counts, .. } = self.feed;
        drop(sender);
        // A sink that hangs is left alone; a deadline that the thread keeps itself comes first.
        let grace = Duration::from_millis(500);
        let _ = tokio::time::timeout_at((deadline + grace).into(), self.done).await;
        let waiting = counts.read().waiting();
        if waiting > 0 {
            counts.lose(waiting);
        }
        counts
    }
}

/// When the sink has to end.
#[derive(Default)]
struct Closing {
    deadline: Mutex<Option<Instant>>,
    bell: Condvar,
}

impl Closing {
    fn close(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.bell.notify_all();
    }

    /// Waits, but not beyond the deadline; whether it has passed.
    fn pause(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            let until = deadline.map_or(end, |deadline| deadline.min(end));
            if now >= until {
                return deadline.is_some_and(|deadline| now >= deadline);
            }
            (deadline, _) = self.bell.wait_timeout(deadline, until - now).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What the thread works with.
struct Worker {
    name: String,
    sink: Box<dyn Sink>,
    counts: Arc<Counts>,
    room: Arc<Room>,
    closing: Arc<Closing>,
}

impl Worker {
    fn run(mut self, errands: &Receiver<Errand>) {
        self.sink.begin();
        let mut held = None;
        loop {
            match held.take().map_or_else(|| errands.recv_timeout(IDLE), Ok) {
                Ok(Errand::Deliver(delivery)) => {
                    let parts;
                    (parts, held) = self.gather(delivery, errands);
                    match parts.as_slice() {
                        [one] => self.deliver(one),
                        several => self.deliver(&Delivery::joined(several)),
                    }
                    self.room.give(parts.iter().map(|part| part.json().bytes() as u64).sum());
                }
                Ok(Errand::Reopen) => {
                    let outcome = self.sink.reopen();
                    self.note(outcome);
                }
                Ok(Errand::Change(setup, _)) if self.sink.adopt(&setup) => {}
                Ok(Errand::Change(setup, around)) => {
                    // It holds what the new one needs: its file's lock, its port.
                    let outcome = self.sink.finish();
                    self.note(outcome);
                    // Dropped before the new one is opened.
                    self.sink = Box::new(Changed::to(*setup, around));
                    let outcome = self.sink.reopen();
                    self.note(outcome);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let outcome = self.sink.idle();
                    self.note(outcome);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let outcome = self.sink.finish();
        self.note(outcome);
    }

    /// What waits, up to the sink's batch, and what was taken out behind it.
    fn gather(&self, first: Arc<Delivery>, errands: &Receiver<Errand>) -> (Vec<Arc<Delivery>>, Option<Errand>) {
        let mut room = self.sink.batch().saturating_sub(first.events().len());
        let mut parts = vec![first];
        while room > 0 {
            match errands.try_recv() {
                Ok(Errand::Deliver(next)) if next.events().len() <= room => {
                    room -= next.events().len();
                    parts.push(next);
                }
                Ok(other) => return (parts, Some(other)),
                Err(_) => break,
            }
        }
        (parts, None)
    }

    /// Delivers all events, or loses those that are left at the deadline.
    fn deliver(&mut self, delivery: &Delivery) {
        let all = delivery.events().len();
        let mut from = 0;
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.sink.deliver(delivery, from) {
                Ok(()) => {
                    self.counts.deliver((all - from) as u64);
                    self.works();
                    return;
                }
                Err(stop) => {
                    if stop.next > from {
                        pause = SHORTEST_PAUSE;
                    }
                    self.counts.deliver(((stop.next - from) as u64).saturating_sub(stop.refused));
                    self.counts.lose(stop.refused);
                    self.fails(&stop.error, &next(stop.refused));
                    from = stop.next;
                    if from >= all {
                        return;
                    }
                }
            }
            if self.closing.pause(pause) {
                self.counts.lose((all - from) as u64);
                return;
            }
            self.counts.retry();
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn note(&self, outcome: Result<()>) {
        match outcome {
            Ok(()) => {}
            Err(error) => self.fails(&error, &next(0)),
        }
    }

    /// Notes why it does not work, and tells it when it did before.
    fn fails(&self, error: &anyhow::Error, next: &str) {
        let text = format!("{error:#}");
        if self.counts.fail(text.clone()) {
            diagnose(format_args!("sink {}: {text}; {next}", self.name));
        }
    }

    fn works(&self) {
        if self.counts.work() {
            let lost = self.counts.read().lost;
            diagnose(format_args!("sink {} works again; lost so far: {lost} events", self.name));
        }
    }
}

/// What becomes of events after a failure: those that the receiver will never take are not tried again.
fn next(refused: u64) -> String {
    match refused {
        0 => "trying again".to_owned(),
        1 => "refused 1 event".to_owned(),
        _ => format!("refused {refused} events"),
    }
}

#[cfg(test)]
mod tests;
