use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::{
    clock::Time,
    event::{Body, Event, Host, Loss},
    options::Sinks,
    sink::Undelivered,
};

fn delivery(seqs: std::ops::Range<u64>) -> Arc<Delivery> {
    let event = |seq| Event {
        schema: "s".into(),
        seq,
        time: Time::of(0),
        message: None,
        host: Host { name: "h".into() },
        body: Body::Loss(Loss { place: "ring".to_owned(), sink: None, lost: 1, causes: vec![], total_lost: 1 }),
    };
    Arc::new(Delivery::new(seqs.map(event).collect()))
}

/// Takes `each` events at a time, after `broken` attempts that fail; refuses what is named.
#[derive(Clone, Default)]
struct Fake {
    taken: Arc<Mutex<Vec<u64>>>,
    broken: Arc<AtomicUsize>,
    each: usize,
    refuses: Option<u64>,
}

impl Sink for Fake {
    fn deliver(&mut self, delivery: &Delivery, from: usize) -> Result<(), Undelivered> {
        let broken = || anyhow::anyhow!("out of order");
        if self.broken.load(SeqCst) > 0 {
            self.broken.fetch_sub(1, SeqCst);
            return Err(Undelivered::at(from, broken()));
        }
        for (position, event) in delivery.events().iter().enumerate().skip(from) {
            if self.refuses == Some(event.seq) {
                self.refuses = None;
                return Err(Undelivered { next: position + 1, refused: 1, error: broken() });
            }
            if position == from + self.each {
                return Err(Undelivered::at(position, broken()));
            }
            self.taken.lock().unwrap().push(event.seq);
        }
        Ok(())
    }
}

fn lane(fake: &Fake, queue: u64) -> Lane {
    let sinks: Sinks = toml::from_str("[[file]]\npath = '/nowhere'").unwrap();
    let setup = Setup { queue, ..Setup::all(&sinks).remove(0) };
    Lane::start(setup, Box::new(fake.clone()), None).unwrap()
}

/// Ends a lane and gives its counts.
fn finish(lane: Lane, patience: Duration) -> crate::sink::SinkCount {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(lane.finish(Instant::now() + patience)).read()
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_fails_is_tried_again_from_where_it_stopped() {
    let fake = Fake { each: 2, broken: Arc::new(AtomicUsize::new(2)), ..Fake::default() };
    let lane = lane(&fake, 1 << 20);
    lane.feed().offer(&delivery(0..3));
    lane.feed().offer(&delivery(3..5));
    let count = finish(lane, PATIENCE);
    assert_eq!(*fake.taken.lock().unwrap(), [0, 1, 2, 3, 4], "each once, in order");
    assert_eq!((count.accepted, count.delivered, count.lost, count.retries), (5, 5, 0, 3));
    assert_eq!(count.error, None, "it works again");
}

#[test]
fn what_waits_goes_out_together_up_to_the_batch() {
    /// Notes what is delivered at once, and begins when it is told to.
    struct Batches(std::sync::mpsc::Receiver<()>, Arc<Mutex<Vec<Vec<u64>>>>);
    impl Sink for Batches {
        fn deliver(&mut self, delivery: &Delivery, _: usize) -> Result<(), Undelivered> {
            // Until the sender is gone.
            let _ = self.0.recv();
            self.1.lock().unwrap().push(delivery.events().iter().map(|event| event.seq).collect());
            Ok(())
        }

        fn batch(&self) -> usize {
            5
        }
    }
    let (go, gone) = std::sync::mpsc::channel();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let sinks: Sinks = toml::from_str("[[file]]\npath = '/nowhere'").unwrap();
    let sink = Box::new(Batches(gone, Arc::clone(&taken)));
    let lane = Lane::start(Setup::all(&sinks).remove(0), sink, None).unwrap();
    // The first fills a batch alone, so that it does not matter when the thread begins.
    for range in [0..9, 9..11, 11..13, 13..15, 15..16, 16..19] {
        lane.feed().offer(&delivery(range));
    }
    lane.reopen();
    for range in [19..20, 20..22] {
        lane.feed().offer(&delivery(range));
    }
    drop(go);
    let count = finish(lane, PATIENCE);
    let ranges = [0..9, 9..13, 13..16, 16..19, 19..22];
    assert_eq!(*taken.lock().unwrap(), ranges.map(|range| range.collect::<Vec<u64>>()), "in order, each once");
    assert_eq!((count.accepted, count.delivered, count.waiting()), (22, 22, 0));
}

#[test]
fn what_is_refused_is_lost_and_the_rest_goes_on() {
    let fake = Fake { each: 9, refuses: Some(1), ..Fake::default() };
    let lane = lane(&fake, 1 << 20);
    lane.feed().offer(&delivery(0..4));
    let count = finish(lane, PATIENCE);
    assert_eq!(*fake.taken.lock().unwrap(), [0, 2, 3]);
    assert_eq!((count.accepted, count.delivered, count.lost), (4, 3, 1));
}

#[test]
fn it_is_told_whether_events_are_tried_again() {
    assert_eq!([0, 1, 2].map(next), ["trying again", "refused 1 event", "refused 2 events"]);
}

#[test]
fn a_full_queue_loses_and_counts_what_comes() {
    let fake = Fake { each: 9, broken: Arc::new(AtomicUsize::new(usize::MAX)), ..Fake::default() };
    let one = delivery(0..4);
    let lane = lane(&fake, one.json().bytes() as u64 * 2);
    let feed = lane.feed();
    for _ in 0..5 {
        feed.offer(&one);
    }
    let count = feed.counts.read();
    assert_eq!((count.accepted, count.delivered, count.lost, count.waiting()), (20, 0, 12, 8));
    fake.broken.store(0, SeqCst);
    drop(feed);
    let count = finish(lane, PATIENCE);
    assert_eq!((count.accepted, count.delivered, count.lost, count.waiting()), (20, 8, 12, 0));
}

#[test]
fn at_the_end_a_broken_sink_is_waited_for_until_the_deadline_only() {
    let fake = Fake { each: 9, broken: Arc::new(AtomicUsize::new(usize::MAX)), ..Fake::default() };
    let lane = lane(&fake, 1 << 20);
    lane.feed().offer(&delivery(0..4));
    let begin = Instant::now();
    let count = finish(lane, Duration::from_millis(50));
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!((count.accepted, count.delivered, count.lost), (4, 0, 4));
    assert_eq!(count.error.as_deref(), Some("out of order"));
}

#[test]
fn a_sink_that_hangs_is_left_alone() {
    struct Hangs(std::sync::mpsc::Receiver<()>);
    impl Sink for Hangs {
        fn deliver(&mut self, _: &Delivery, _: usize) -> Result<(), Undelivered> {
            let _ = self.0.recv();
            Ok(())
        }
    }
    let (hold, held) = std::sync::mpsc::channel();
    let sinks: Sinks = toml::from_str("[[file]]\npath = '/nowhere'").unwrap();
    let lane = Lane::start(Setup::all(&sinks).remove(0), Box::new(Hangs(held)), None).unwrap();
    lane.feed().offer(&delivery(0..4));
    let count = finish(lane, Duration::from_millis(10));
    assert_eq!((count.accepted, count.delivered, count.lost), (4, 0, 4));
    drop(hold);
}
