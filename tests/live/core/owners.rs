//! Whose close it was: the process and the thread whose call was the last one, once.

use conn_observer_tests::act::Act;
use conn_observer_tests::actor::{Actor, COMM};
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            a_process_that_exits_with_data_pending_is_named,
            a_killed_process_with_data_pending_is_named,
            after_a_fork_the_last_close_counts,
            a_thread_that_closes_is_named_with_its_process,
            of_two_descriptors_the_last_close_counts,
            a_socket_passed_on_belongs_to_who_closes_it,
        ]
    );
}

/// Makes the act and checks that it gave exactly one event, returned.
fn once(make: impl FnOnce(Actor) -> Act + Send) -> Event {
    let mut found = None;
    Netns::run(|namespace| {
        let actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &[]);
        let act = make(actor);
        let events = observer.events_before_fence();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].assert_is("close_unread", &act);
        found = events.into_iter().next();
    });
    found.expect("set above")
}

fn a_process_that_exits_with_data_pending_is_named() {
    let event = once(|mut actor| {
        let act = actor.play_one("exit-with 100");
        assert!(actor.wait().success());
        act
    });
    assert_eq!(event.text("process.comm"), COMM);
    assert_eq!(event.at("process.exiting"), true, "{event:?}");
}

fn a_killed_process_with_data_pending_is_named() {
    let event = once(|mut actor| {
        let act = actor.play_one("hold 100");
        actor.kill();
        act
    });
    assert_eq!(event.text("process.comm"), COMM);
    assert_eq!(event.at("process.exiting"), true, "{event:?}");
}

fn after_a_fork_the_last_close_counts() {
    let mut parent = 0;
    let event = once(|mut actor| {
        parent = actor.pid();
        actor.play_one("fork-unread 100")
    });
    assert_ne!(event.number("process.pid"), u64::from(parent));
    assert_ne!(event.at("process.exiting"), true, "it closed by its own call: {event:?}");
}

fn a_thread_that_closes_is_named_with_its_process() {
    let mut leader = 0;
    let event = once(|mut actor| {
        leader = u64::from(actor.pid());
        actor.play_one("thread-unread the-closer 100")
    });
    assert_eq!(event.number("process.pid"), leader);
    assert_ne!(event.number("process.tid"), leader);
    assert_eq!(event.text("process.comm"), COMM);
    assert_eq!(event.text("process.thread.name"), "the-closer");
}

fn of_two_descriptors_the_last_close_counts() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let mut observer = Observer::within(namespace, &[]);
        let acts = actor.play("dup-unread 100");
        let [between, last] = acts.as_slice() else { panic!("{acts:?}") };
        observer.expect("close_unread", between);
        observer.expect("close_unread", last);
        assert_eq!(observer.events_before_fence(), []);
    });
}

fn a_socket_passed_on_belongs_to_who_closes_it() {
    let mut sender = 0;
    let event = once(|mut actor| {
        sender = actor.pid();
        actor.play_one("pass-unread 100")
    });
    assert_ne!(event.number("process.pid"), u64::from(sender));
}
