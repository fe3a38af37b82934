//! `close_unread`: who closed what, and how many bytes were lost.

use conn_observer_tests::abort;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::{Netns, THREAD_NAME};
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            unread_bytes_are_counted_exactly_on_every_family_and_side,
            a_fin_is_not_an_unread_byte,
            data_left_after_the_peers_reset_is_flagged_without_a_reset_of_ours,
            unread_data_wins_over_linger_zero,
            the_event_describes_the_close_fully,
        ]
    );
}

fn unread_bytes_are_counted_exactly_on_every_family_and_side() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            for side in Side::ALL {
                for bytes in [1, 100, 65_536, 1 << 20] {
                    let act = abort::unread(family, side, bytes);
                    let event = observer.expect("close_unread", &act);
                    assert_eq!(event.text("network.role"), side.role(), "{event:?}");
                    assert_eq!(event.number("tcp.received_bytes"), bytes, "{event:?}");
                    assert_eq!(event.at("tcp.reset_sent"), true, "{event:?}");
                }
            }
        }
        let report = observer.stop();
        assert_eq!(report.events().count(), 24, "each once");
    });
}

fn a_fin_is_not_an_unread_byte() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        for family in Family::ALL {
            let event = observer.expect("close_unread", &abort::unread_behind_fin(family, 100));
            assert_eq!(event.at("tcp.fin_received"), true, "{event:?}");
            assert_eq!(event.text("tcp.state"), "CLOSE_WAIT", "{event:?}");
        }
    });
}

/// A reset shuts a socket down as a FIN does (`RCV_SHUTDOWN`), yet no sequence number was used for it.
fn data_left_after_the_peers_reset_is_flagged_without_a_reset_of_ours() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let [theirs, ours] = abort::peer_reset(100);
        observer.expect("linger_zero", &theirs);
        let event = observer.expect("close_unread", &ours);
        assert_eq!(event.at("tcp.reset_sent"), false, "{event:?}");
        assert_eq!(event.text("tcp.state"), "CLOSE", "{event:?}");
        let report = observer.stop();
        assert_eq!(report.total(namespace, "close_unread", "acts"), 1);
        assert_eq!(report.total(namespace, "close_unread", "resets"), 0);
    });
}

fn unread_data_wins_over_linger_zero() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        observer.expect("close_unread", &abort::unread_with_linger_zero(5));
        assert_eq!(observer.events_before_fence(), []);
    });
}

fn the_event_describes_the_close_fully() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let event = observer.expect("close_unread", &abort::unread(Family::V4, Side::Server, 100));
        let leader = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(event.text("process.comm"), leader.trim_end());
        assert_eq!(event.text("process.thread.name"), THREAD_NAME);
        assert_eq!(event.number("process.user.id"), u64::from(rustix::process::geteuid().as_raw()));
        assert_eq!(event.number("network.namespace"), namespace.inode());
        assert_eq!(event.text("tcp.state"), "ESTABLISHED");
        assert_eq!(event.number("tcp.sent_bytes"), 0);
        assert_eq!(event.at("tcp.fin_received"), false);
        assert_ne!(event.number("cgroup.id"), 0);
        assert!(event.at("stack.user").as_array().is_some_and(|frames| !frames.is_empty()), "{event:?}");
        let message = event.text("message");
        for said in ["100 unread bytes", &format!(":{}", event.local_port()), "RST"] {
            assert!(message.contains(said), "{said:?} in {message:?}");
        }
    });
}
