//! Every cause, one row each: the act, what the event must say of it, and what the kernel counts.
//!
//! `rows` lists them; this file runs one. A row that this kernel or plan cannot see must be among the limits that the
//! observer declares.

mod acts;
mod kinds;
mod rows;

use std::any::Any;

use conn_observer_tests::act::Act;
use conn_observer_tests::event::{Event, kernel_at_least};
use conn_observer_tests::feature::Feature;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::scarce::NoOrphans;
use conn_observer_tests::tun::Tun;

use crate::suite::Suite;

/// One act and what is expected of it.
#[derive(Clone, Copy)]
struct Row {
    /// What happens.
    name: &'static str,
    make: fn(&mut World) -> Act,
    kind: &'static str,
    cause: &'static str,
    attribution: &'static str,
    severity: &'static str,
    /// What the kernel may call it, where it gives a reason; empty for what is not our RST.
    reasons: &'static [&'static str],
    unacked: Option<u64>,
    unsent: Option<u64>,
    /// Bytes of the segment that was answered.
    segment: Option<u64>,
    /// What the namespace's counters of resets do; not compared when absent.
    raises: Option<&'static [(&'static str, u64)]>,
    /// The limit that excuses the observer from seeing it.
    limit: Option<&'static str>,
    /// Needed besides a namespace and BPF.
    needs: &'static [Feature],
}

/// Where a row is played.
struct World<'a> {
    namespace: &'a Netns,
    tun: Option<Tun>,
    /// Whose process, besides the act's, held the connection.
    owner: Option<u32>,
    /// What stays open until all has been compared.
    kept: Vec<Box<dyn Any>>,
}

impl World<'_> {
    fn tun(&self) -> &Tun {
        self.tun.as_ref().expect("the row needs a TUN device")
    }

    /// Makes an act by the TUN device, and keeps what comes with it.
    fn keep_with<T: 'static>(&mut self, make: impl FnOnce(&Tun) -> (Act, T)) -> Act {
        let made = make(self.tun());
        self.keep(made)
    }

    fn keep<T: 'static>(&mut self, (act, kept): (Act, T)) -> Act {
        self.kept.push(Box::new(kept));
        act
    }
}

pub(super) fn tests(suite: &mut Suite) {
    for row in rows::all() {
        let needs = [&[Feature::Netns, Feature::Bpf], row.needs].concat();
        suite.add("core::table", &row.name.replace(' ', "_"), &needs, move || play(row));
    }
}

/// How often a row is made when the kernel skips the hook's program.
const ATTEMPTS: u32 = 3;

fn play(row: Row) {
    let _limit = row.needs.contains(&Feature::OwnMachine).then(NoOrphans::begin);
    let told = (0..ATTEMPTS).any(|_| Netns::run(|namespace| attempt(&row, namespace)));
    assert!(told, "the kernel skipped a program {ATTEMPTS} times");
}

/// Whether it was told, or need not be. It need not when the kernel says that it skipped a program, which it does when one
/// in a softirq (a timer's RST) interrupts the same one: then the row is made again.
fn attempt(row: &Row, namespace: &Netns) -> bool {
    let tun = row.needs.contains(&Feature::Tun).then(|| Tun::open().expect("a TUN device"));
    let mut world = World { namespace, tun, owner: None, kept: Vec::new() };
    let arguments: &[&str] = if row.cause == "clean" { &["--all-closes"] } else { &[] };
    let mut observer = Observer::within(namespace, arguments).with_victims();
    let before = namespace.counters();
    let act = (row.make)(&mut world);
    let raised = namespace.counters().since(&before);
    if let Some(expected) = row.raises {
        assert_eq!(raised.resets(), expected, "the counters");
    }
    let events = observer.events_before_fence();
    let ours: Vec<&Event> = events.iter().filter(|event| event.is_at(&act)).collect();
    let told = !ours.is_empty();
    if let Some(limit) = row.limit {
        assert_ne!(told, observer.declares_limit(limit), "{limit}: {:?}", observer.started());
        if !told {
            return true;
        }
    }
    if !told && observer.stop().stopped().number("missed") > 0 {
        return false;
    }
    let [event] = ours[..] else { panic!("one event of {act:?} in {events:#?}") };
    row.assert_told(event, &act, world.owner);
    for other in events.iter().filter(|event| !event.is_at(&act)) {
        assert!(other.is_about(&act), "nothing else happened: {other:?}");
        let expected = if row.cause == "clean" { "close" } else { "reset_received" };
        assert_eq!(other.kind(), expected, "at the other end: {other:?}");
    }
    true
}

impl Row {
    #[track_caller]
    fn assert_told(&self, event: &Event, act: &Act, owner: Option<u32>) {
        let said = ["type", "cause", "process.attribution", "severity"].map(|path| event.text(path));
        assert_eq!(said, [self.kind, self.cause, self.attribution, self.severity], "{event:?}");
        assert_eq!(event.number("process.pid"), u64::from(act.pid), "{event:?}");
        if self.attribution == "current" {
            assert_eq!(event.number("process.tid"), u64::from(act.tid), "{event:?}");
        }
        assert_eq!(event.at("tcp.closed_ms_ago").is_number(), self.attribution == "closer", "{event:?}");
        assert_eq!(event.at("owner.pid").as_u64(), owner.map(u64::from), "{event:?}");
        if self.segment.is_none() || act.unread > 0 {
            assert_eq!(event.at("tcp.unread_bytes").as_u64().unwrap_or(0), act.unread, "{event:?}");
        }
        let sizes = [("unacked", self.unacked), ("unsent", self.unsent), ("segment", self.segment)];
        for (name, expected) in sizes.into_iter().filter(|(_, expected)| expected.is_some()) {
            assert_eq!(event.at(&format!("tcp.{name}_bytes")).as_u64(), expected, "{name}: {event:?}");
        }
        self.assert_source(event);
    }

    /// The kernel's reason is compared with the prediction; before 6.10 (RSTs of a process: 6.12) there is none.
    #[track_caller]
    fn assert_source(&self, event: &Event) {
        let reason = event.text("tcp.kernel_reason");
        let our_reset = event.at("tcp.reset_sent") == true;
        assert_eq!(our_reset, !self.reasons.is_empty(), "a RST of ours: {event:?}");
        if our_reset && kernel_at_least(6, 12) {
            assert!(self.reasons.contains(&reason), "{reason:?} is none of {:?}: {event:?}", self.reasons);
        }
        let source = if reason.is_empty() { "predicted" } else { "both" };
        let from_kernel_alone = !reason.is_empty() && self.kind == "reset_sent";
        assert!(event.text("cause_source") == source || from_kernel_alone, "{event:?}");
        assert_ne!(event.at("tcp.disagreement"), true, "{event:?}");
    }
}
