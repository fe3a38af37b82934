//! Every filter, with a forbidden act first and then a permitted one: only the latter is seen.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use conn_observer_tests::abort::{self, unread, unread_on};
use conn_observer_tests::act::Act;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair, Side};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf],
        [
            pid_takes_one_process_and_not_its_children,
            pid_may_be_given_twice,
            children_takes_forks_of_the_process_too,
            children_takes_those_that_are_there_already,
            comm_takes_processes_of_that_name,
            port_takes_either_end,
            peer_takes_a_range_of_ipv4_addresses,
            peer_takes_a_range_of_ipv6_addresses,
            peer_knows_a_mapped_address_as_ipv4,
            netns_takes_one_namespace,
            cause_takes_a_list,
            min_unread_takes_this_many_bytes_and_more,
            severity_takes_this_one_and_worse,
            filters_of_different_kinds_must_all_agree,
        ]
    );
    add!(suite, "contract", [PrivateNetns, Bpf, Root], [uid_takes_processes_of_that_user,]);
}

/// Forbidden acts and a permitted one, of which the observer must tell alone.
fn assert_takes(namespace: &Netns, filter: &[&str], forbidden: impl FnOnce(), permitted: impl FnOnce() -> Act) {
    let mut observer = Observer::within(namespace, filter);
    forbidden();
    let act = permitted();
    let event = observer.next_event();
    assert!(event.is_at(&act), "{filter:?} let another act through: {event:?}");
    event.assert_is("close_unread", &act);
    assert_eq!(observer.stop().events().count(), 1, "{filter:?}");
}

fn ours(bytes: u64) -> Act {
    unread(Family::V4, Side::Client, bytes)
}

fn pid_takes_one_process_and_not_its_children() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let pid = actor.pid().to_string();
        let forbidden = || {
            ours(100);
        };
        assert_takes(namespace, &["--pid", &pid], forbidden, || actor.play_one("unread 100"));
        let mut observer = Observer::within(namespace, &["--pid", &pid]);
        actor.play("child-unread 100");
        observer.expect("close_unread", &actor.play_one("unread 100"));
    });
}

fn pid_may_be_given_twice() {
    Netns::run(|namespace| {
        let mut actors = [Actor::spawn(), Actor::spawn()];
        let pids = actors.each_ref().map(|actor| actor.pid().to_string());
        let mut observer = Observer::within(namespace, &["--pid", &pids[0], "--pid", &pids[1]]);
        ours(100);
        for actor in &mut actors {
            observer.expect("close_unread", &actor.play_one("unread 100"));
        }
    });
}

fn children_takes_forks_of_the_process_too() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let pid = actor.pid().to_string();
        let mut observer = Observer::within(namespace, &["--pid", &pid, "--children"]);
        ours(100);
        observer.expect("close_unread", &actor.play_one("child-unread 100"));
        observer.expect("close_unread", &actor.play_one("unread 100"));
    });
}

fn children_takes_those_that_are_there_already() {
    Netns::run(|namespace| {
        let pid = std::process::id().to_string();
        let mut actor = Actor::spawn();
        let mut alone = Observer::within(namespace, &["--pid", &pid]);
        let mut with_children = Observer::within(namespace, &["--pid", &pid, "--children"]);
        let act = actor.play_one("unread 100");
        with_children.expect("close_unread", &act);
        assert_eq!(alone.events_before_fence(), []);
    });
}

fn comm_takes_processes_of_that_name() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        actor.play("comm chosen");
        let forbidden = || {
            ours(100);
            Actor::spawn().play_one("unread 100");
        };
        assert_takes(namespace, &["--comm", "chosen"], forbidden, || actor.play_one("unread 100"));
    });
}

fn uid_takes_processes_of_that_user() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        actor.play("uid 1234");
        let forbidden = || {
            ours(100);
        };
        assert_takes(namespace, &["--uid", "1234"], forbidden, || actor.play_one("unread 100"));
    });
}

fn port_takes_either_end() {
    for side in Side::ALL {
        Netns::run(|namespace| {
            let listener = TcpListener::bind(Family::V4.loopback()).unwrap();
            let port = listener.local_addr().unwrap().port().to_string();
            let forbidden = || {
                ours(100);
            };
            assert_takes(namespace, &["--port", &port], forbidden, || unread_on(Pair::through(&listener), side, 100));
        });
    }
}

fn between(address: impl Into<std::net::IpAddr>) -> Act {
    unread_on(Pair::to(SocketAddr::new(address.into(), 0)), Side::Client, 100)
}

fn peer_takes_a_range_of_ipv4_addresses() {
    Netns::run(|namespace| {
        let forbidden = || {
            between(Ipv4Addr::LOCALHOST);
            between(Ipv4Addr::new(127, 0, 2, 1));
            between(Ipv6Addr::LOCALHOST);
        };
        let permitted = || between(Ipv4Addr::new(127, 0, 1, 255));
        assert_takes(namespace, &["--peer", "127.0.1.0/24"], forbidden, permitted);
    });
}

fn peer_takes_a_range_of_ipv6_addresses() {
    Netns::run(|namespace| {
        let [inside, outside] = ["fd00:1:2:3:ffff::1", "fd00:1:2:4::1"].map(|text| text.parse::<Ipv6Addr>().unwrap());
        namespace.add_ipv6(inside);
        namespace.add_ipv6(outside);
        let forbidden = || {
            between(outside);
            between(Ipv6Addr::LOCALHOST);
            between(Ipv4Addr::LOCALHOST);
        };
        assert_takes(namespace, &["--peer", "fd00:1:2:3::/64"], forbidden, || between(inside));
    });
}

fn peer_knows_a_mapped_address_as_ipv4() {
    Netns::run(|namespace| {
        let forbidden = || {
            unread(Family::V6, Side::Client, 100);
        };
        let permitted = || unread(Family::V4Mapped, Side::Client, 100);
        assert_takes(namespace, &["--peer", "127.0.0.1/32"], forbidden, permitted);
    });
}

fn netns_takes_one_namespace() {
    Netns::run(|namespace| {
        let forbidden = || {
            Netns::run(|_| {
                ours(100);
            });
        };
        assert_takes(namespace, &[], forbidden, || ours(100));
    });
}

fn cause_takes_a_list() {
    Netns::run(|namespace| {
        let forbidden = || {
            abort::linger_zero(Family::V4, Side::Client);
            abort::disconnect(Family::V4);
        };
        assert_takes(namespace, &["--cause", "close_unread"], forbidden, || ours(100));
        let mut observer = Observer::within(namespace, &["--cause", "linger_zero,disconnect"]);
        ours(100);
        abort::linger2(Family::V4);
        observer.expect("linger_zero", &abort::linger_zero(Family::V4, Side::Client));
        observer.expect("disconnect", &abort::disconnect(Family::V4));
    });
}

fn min_unread_takes_this_many_bytes_and_more() {
    Netns::run(|namespace| {
        let forbidden = || {
            ours(99);
            abort::linger_zero(Family::V4, Side::Client);
        };
        assert_takes(namespace, &["--min-unread", "100"], forbidden, || ours(100));
    });
}

fn severity_takes_this_one_and_worse() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--severity", "harmful"]);
        abort::unread_behind_fin(Family::V4, 10);
        abort::linger_zero(Family::V4, Side::Client);
        let before = observer.events_before_fence();
        assert_eq!(before, [], "benign and suspect");
        let report = observer.stop();
        assert_eq!(report.count("close_unread"), 1, "the fence is harmful");
        let below = report.stopped().number("below_severity");
        assert_eq!(below + 1, report.stopped().number("received"), "{:?}", report.stopped());
        assert!(below >= 2, "{:?}", report.stopped());
    });
}

fn filters_of_different_kinds_must_all_agree() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let pid = actor.pid().to_string();
        let filter = ["--pid", &pid, "--min-unread", "100", "--peer", "127.0.0.0/8"];
        let mut other = Actor::spawn();
        let forbidden = || {
            ours(100);
            other.play("unread 100");
        };
        assert_takes(namespace, &filter, forbidden, || {
            actor.play("unread 99");
            actor.play_one("unread 100")
        });
    });
}
