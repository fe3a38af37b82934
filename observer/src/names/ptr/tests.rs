use std::sync::{
    Arc, Mutex,
    mpsc::{self, Sender},
};

use super::*;

const SECOND: u64 = 1_000_000_000;
const LONG: Duration = Duration::from_secs(30);

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn now() -> Instant {
    Instant::now()
}

fn soon() -> Instant {
    Instant::now() + LONG
}

/// A resolver that knows 192.0.2.1 as whatever the test says, and has to be let go for each answer when there is a gate.
struct Resolver {
    names: Arc<Mutex<Outcome>>,
    gate: Option<Sender<()>>,
}

impl Resolver {
    fn with(outcome: Outcome, gated: bool) -> (Self, Ptr) {
        let names = Arc::new(Mutex::new(outcome));
        let (gate, passed) = mpsc::channel();
        let known = Arc::clone(&names);
        let resolve = move |asked: IpAddr| {
            if gated && passed.recv().is_err() {
                return Outcome::Failed;
            }
            if asked == address(1) { known.lock().unwrap().clone() } else { Outcome::Unnamed }
        };
        (Self { names, gate: gated.then_some(gate) }, Ptr::with(Box::new(|| true), resolve).unwrap())
    }

    fn says(&self, outcome: Outcome) {
        *self.names.lock().unwrap() = outcome;
    }

    fn answers(&self) {
        self.gate.as_ref().unwrap().send(()).unwrap();
    }
}

/// A resolver that gives every address the same name.
pub(in crate::names) fn answering(name: &'static str) -> Ptr {
    Ptr::with(Box::new(|| true), move |_| named(name)).unwrap()
}

fn named(name: &str) -> Outcome {
    Outcome::Named(name.into())
}

#[test]
fn a_name_that_comes_in_time_is_there_at_once() {
    let (_resolver, mut ptr) = Resolver::with(named("a.example"), false);
    assert_eq!(ptr.name(address(1), 0, soon()).as_deref(), Some("a.example"));
    assert_eq!((ptr.counts().asked, ptr.counts().named, ptr.counts().late), (1, 1, 0));
}

#[test]
fn without_patience_the_name_is_there_later() {
    let (resolver, mut ptr) = Resolver::with(named("a.example"), true);
    for _ in 0..100 {
        assert_eq!(ptr.name(address(1), 0, now()), None);
    }
    assert_eq!((ptr.counts().asked, ptr.counts().late), (1, 1), "asked once");
    resolver.answers();
    let end = soon();
    while ptr.name(address(1), 0, now()).is_none() {
        assert!(now() < end);
        std::thread::yield_now();
    }
    assert_eq!(ptr.counts().asked, 1);
}

#[test]
fn a_busy_resolver_is_not_waited_for() {
    let (_resolver, mut ptr) = Resolver::with(named("a.example"), true);
    ptr.name(address(1), 0, now());
    let start = now();
    for last in 2..20 {
        assert_eq!(ptr.name(address(last), 0, soon()), None);
    }
    assert!(start.elapsed() < LONG, "whatever the patience");
    assert_eq!((ptr.counts().asked, ptr.counts().late), (19, 19));
}

#[test]
fn every_outcome_has_its_time() {
    for (outcome, good_for) in [(named("a.example"), NAMED), (Outcome::Unnamed, UNNAMED), (Outcome::Failed, FAILED)] {
        let (resolver, mut ptr) = Resolver::with(outcome.clone(), false);
        let good_ns = u64::try_from(good_for.as_nanos()).unwrap();
        let name = match outcome {
            Outcome::Named(name) => Some(name),
            _ => None,
        };
        assert_eq!(ptr.name(address(1), SECOND, soon()), name);
        resolver.says(named("b.example"));
        assert_eq!(ptr.name(address(1), SECOND + good_ns - 1, soon()), name);
        assert_eq!(ptr.counts().asked, 1);
        assert_eq!(ptr.name(address(1), SECOND + good_ns, soon()).as_deref(), Some("b.example"));
        assert_eq!(ptr.counts().asked, 2);
    }
}

#[test]
fn a_flood_of_addresses_is_limited() {
    let (_resolver, mut ptr) = Resolver::with(Outcome::Unnamed, false);
    let mut flood = |second: u64, from: u32| {
        let before = ptr.counts();
        for number in 0..1_000 {
            ptr.name(std::net::Ipv4Addr::from(from + number).into(), second * SECOND, soon());
        }
        let counts = ptr.counts();
        assert_eq!(counts.limited - before.limited, 1_000 - (counts.asked - before.asked));
        counts.asked - before.asked
    };
    assert_eq!(flood(1_000, 0x0a00_0000), BURST);
    assert_eq!(flood(1_001, 0x0b00_0000), RATE);
    assert_eq!(flood(1_001, 0x0c00_0000), 0);
    assert_eq!(flood(5_000, 0x0d00_0000), BURST, "no more is saved up");
}

#[test]
fn what_waits_is_bounded() {
    let (_resolver, mut ptr) = Resolver::with(Outcome::Unnamed, true);
    for number in 0..1_000 {
        // So slowly that no limit but the queue's matters.
        ptr.name(std::net::Ipv4Addr::from(0x0a00_0000 + number).into(), u64::from(number) * SECOND, now());
    }
    let counts = ptr.counts();
    assert_eq!(counts.limited, 0);
    assert!((QUEUE as u64..=QUEUE as u64 + 1).contains(&counts.asked), "{counts:?}");
    assert_eq!(counts.asked + counts.dropped, 1_000);
}
