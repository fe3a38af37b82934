//! The observer's own audits: they agree with the kernel's counters, and say so when they do not.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair, Side};
use conn_observer_tests::report::Report;
use conn_observer_tests::{abort, fault, late, orderly};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            audits_of_fifty_thousand_mixed_acts_leave_nothing,
            a_missed_act_is_a_residual,
            no_audit_is_told_when_none_is_wanted,
            a_namespace_is_audited_through_any_thread_in_it,
            a_namespace_that_nobody_is_left_in_cannot_be_audited,
        ]
    );
}

/// Acts that one [`round`] makes at least.
const ACTS_OF_A_ROUND: u64 = 7;

/// Every maker of acts that needs no more than loopback. Those that wait for a delayed acknowledgement come now and then.
fn round(number: u64, listener: &TcpListener) {
    let side = Side::ALL[number as usize % 2];
    let family = Family::ALL[number as usize % 3];
    abort::unread_on(Pair::through(listener), side, 1 + number % 997);
    abort::linger_zero(family, side);
    abort::disconnect(family);
    abort::unread_behind_fin(family, 100);
    orderly::close(family, side);
    if number.is_multiple_of(10) {
        abort::linger2(family);
        abort::peer_reset(number % 2);
        abort::listener_with_waiting_connection();
        abort::reset_after_fin();
        orderly::connection_refused();
        orderly::eof_not_read(family);
    }
    if number.is_multiple_of(25) {
        late::after_close(family);
    }
    if number.is_multiple_of(100) {
        late::after_timewait(family);
    }
}

/// The number that matters, or the one that a slow guest is asked for.
fn acts() -> u64 {
    std::env::var("CONN_OBSERVER_ACTS").map_or(50_000, |acts| acts.parse().expect("CONN_OBSERVER_ACTS is a number"))
}

fn audits(report: &Report, namespace: u64) -> Vec<&Event> {
    let ours = |event: &&Event| event.kind() == "audit" && event.at("namespace") == namespace;
    report.lines().iter().filter(ours).collect()
}

/// `seen`, `kernel` and `residual` of a counter.
#[track_caller]
fn counter(audit: &Event, name: &str) -> (u64, u64, i64) {
    let rows = audit.at("counters").as_array().expect("counters");
    let row = rows.iter().find(|row| row["counter"] == name).unwrap_or_else(|| panic!("no {name} in {audit:?}"));
    (row["seen"].as_u64().unwrap(), row["kernel"].as_u64().unwrap(), row["residual"].as_i64().unwrap())
}

fn audits_of_fifty_thousand_mixed_acts_leave_nothing() {
    Netns::run(|namespace| {
        let acts = acts();
        let observer = Observer::within(namespace, &["--cause", "close_unread", "--audit", "200ms"]);
        let sees_all_resets = !observer.declares_limit("kernel_reason");
        let before = namespace.counters();
        let listener = TcpListener::bind(Family::V4.loopback()).unwrap();
        for number in 0..acts.div_ceil(ACTS_OF_A_ROUND) {
            round(number, &listener);
        }
        drop(listener);
        let delta = namespace.counters().since(&before);
        let report = observer.stop();
        let made = report.sum(namespace, "acts");
        assert!(made >= acts, "{made} acts: {:?}", report.stopped());
        let audits = audits(&report, namespace.inode());
        assert!(audits.len() > 1, "some under load, one at the end");
        // The kernel may skip a hook's program, rarely, anywhere on the host, and says so: then one act is in none of our
        // totals, which is one in two counters.
        let skipped = report.stopped().number("missed");
        for audit in &audits {
            assert!(audit.number("residual") <= 2 * skipped, "{audit:?}\n{:?}", report.stopped());
        }
        let last = audits.last().unwrap();
        for name in ["TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnLinger", "TCPAbortOnMemory"] {
            let (seen, kernel, _) = counter(last, name);
            assert_eq!(kernel, delta.tcp_ext(name), "{last:?}");
            assert!(seen == kernel || seen < kernel && kernel - seen <= skipped, "{last:?}");
        }
        let (seen, kernel, _) = counter(last, "OutRsts");
        assert_eq!(kernel, delta.tcp("OutRsts"));
        assert!(seen == kernel || seen < kernel && (!sees_all_resets || kernel - seen <= skipped), "{last:?}");
        // It need not be the last but one line: findings that it has counted may still be in the ring, and a namespace in
        // which nothing happened since is not audited once more at the end.
        assert_eq!(report.lines().last().map(|event| event.text("type")), Some("stopped"));
    });
}

fn a_missed_act_is_a_residual() {
    const ACTS: u64 = 100;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &[]);
        let sees_all_resets = !observer.declares_limit("kernel_reason");
        for _ in 0..ACTS {
            abort::unread(Family::V4, Side::Client, 3);
        }
        fault::forget_unread_close(observer.pid(), namespace.inode());
        let report = observer.stop();
        assert_eq!(report.count("close_unread"), ACTS, "every event is told");
        let audits = audits(&report, namespace.inode());
        let [audit] = audits[..] else { panic!("one audit: {audits:?}") };
        assert_eq!(counter(audit, "TCPAbortOnClose"), (ACTS - 1, ACTS, 1), "{audit:?}");
        assert_eq!(counter(audit, "OutRsts").2, i64::from(sees_all_resets), "{audit:?}");
        assert_eq!(audit.number("residual"), 1 + u64::from(sees_all_resets), "{audit:?}");
        assert!(audit.text("message").contains("99 seen of 100 TCPAbortOnClose"), "{audit:?}");
    });
}

fn no_audit_is_told_when_none_is_wanted() {
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--audit", "0"]);
        abort::fence();
        let report = observer.stop();
        assert!(report.lines().iter().all(|event| event.kind() != "audit"), "{:?}", report.lines());
    });
}

fn a_namespace_is_audited_through_any_thread_in_it() {
    let (report, inode) = observe_elsewhere(true);
    let audits = audits(&report, inode);
    let [audit] = audits[..] else { panic!("one audit: {audits:?}") };
    assert_eq!(counter(audit, "TCPAbortOnClose"), (1, 1, 0), "{audit:?}");
    assert_eq!(audit.number("residual"), 0, "{audit:?}");
}

fn a_namespace_that_nobody_is_left_in_cannot_be_audited() {
    let (report, inode) = observe_elsewhere(false);
    let audits = audits(&report, inode);
    let [audit] = audits[..] else { panic!("one audit: {audits:?}") };
    assert_eq!(audit.at("unreadable"), true, "{audit:?}");
    assert!(audit.at("counters").is_null() && audit.at("residual").is_null(), "{audit:?}");
}

/// What is said of an act in a namespace that is not the observer's own, and where one thread was; whether it still is
/// there when the observer ends.
fn observe_elsewhere(stays: bool) -> (Report, u64) {
    let (tell_inode, inode) = mpsc::channel();
    let (tell_start, started) = mpsc::channel();
    let (tell_done, done) = mpsc::channel();
    let (tell_end, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let elsewhere = scope.spawn(|| {
            Netns::run(move |namespace| {
                tell_inode.send(namespace.inode()).unwrap();
                started.recv().unwrap();
                abort::fence();
                tell_done.send(()).unwrap();
                if stays {
                    let _ = ended.recv();
                }
            });
        });
        let inode = inode.recv().unwrap();
        let observer = Observer::start(&["--netns", &inode.to_string()]);
        tell_start.send(()).unwrap();
        done.recv().unwrap();
        if stays {
            let report = observer.stop();
            drop(tell_end);
            return (report, inode);
        }
        elsewhere.join().unwrap();
        (observer.stop(), inode)
    })
}
