//! Two hosts with an observer each, and one RST between them: what the fleet's queries make of real events.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use conn_observer_tests::actor::Actor;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Veth};
use conn_observer_tests::hostname::on_host;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::sock::{self, State};
use conn_observer_tests::veth::{FAR, Far};
use serde_json::json;

use super::engine::{ClickHouse, NEEDS, assert_rows};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        [PrivateNetns, Bpf, Veth, NEEDS[0], NEEDS[1]],
        [observers_on_two_hosts_tell_of_the_two_ends_of_one_rst]
    );
}

const EVER: [(&str, &str); 2] = [("from", "2000-01-01 00:00:00"), ("to", "2100-01-01 00:00:00")];

fn observers_on_two_hosts_tell_of_the_two_ends_of_one_rst() {
    Netns::run(|near| {
        let mut database = ClickHouse::start();
        let other = Far::connect().expect("a far namespace");
        let mut actor = Actor::spawn();
        let here = on_host("culprit.example", || Observer::within(near, &[]));
        let there = other.run(|far| on_host("victim.example", || Observer::within(far, &[])).with_victims());
        let listener = other.run(|_| TcpListener::bind((FAR, 0)).unwrap());
        let server = unread_by(&mut actor, &listener, 100);
        actor.play("close");
        sock::wait_state(&server, State::Close);
        let reports = observed(here, there);
        database.ingest(&reports.concat());
        assert_rows(
            &database.ask("both-ends", &EVER),
            &["culprit_host", "culprit_pid", "cause", "culprit_unread_bytes", "victim_host", "victim_pid"],
            &[json!(["culprit.example", actor.pid(), "close_unread", 100, "victim.example", std::process::id()])],
        );
        assert_rows(
            &database.ask("loss", &EVER),
            &["host_name", "runs", "lost_in_kernel", "audit_residual", "lost_in_pipeline"],
            &[json!(["culprit.example", 1, 0, 0, 0]), json!(["victim.example", 1, 0, 0, 0])],
        );
        assert_rows(
            &database.ask("audit", &EVER),
            &["host_name", "counter_name", "kernel", "seen"],
            &[json!(["culprit.example", "OutRsts", 1, 1]), json!(["culprit.example", "TCPAbortOnClose", 1, 1])],
        );
        let lines: u64 = reports.iter().map(|lines| lines.len() as u64).sum();
        assert_eq!(database.count("conn_observer.events"), lines);
    });
}

/// Another process connects, and is sent `bytes`; our end.
fn unread_by(actor: &mut Actor, listener: &TcpListener, bytes: usize) -> TcpStream {
    let address = listener.local_addr().unwrap();
    actor.play_one(&format!("connect-many {address} 1"));
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(&vec![b'x'; bytes]).unwrap();
    sock::wait_acknowledged(&server);
    server
}

/// All lines of both, once each has told its end.
fn observed(mut culprit: Observer, mut victim: Observer) -> [Vec<String>; 2] {
    culprit.next_event();
    victim.next_event();
    [culprit, victim].map(|observer| observer.stop().lines().iter().map(|event| format!("{event:?}")).collect())
}
