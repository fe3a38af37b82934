//! What name servers and strangers send that is no answer: nothing of it becomes a name, and nothing stops the observer.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use conn_observer_tests::abort;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::deadline::DEADLINE;
use conn_observer_tests::feature::Feature::{Bpf, Cgroup, Etc as PrivateEtc, Netns as PrivateNetns};
use conn_observer_tests::nameserver::{self, Forge, Has, NameServer, Zone};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::pair::{Pair, Side};

use super::names::{
    PEER, SERVER, ZONE, assert_named, assert_named_at_last, closes, host_name, listen, observer, place,
};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::once::names",
        [PrivateNetns, Bpf, PrivateEtc, Cgroup],
        [
            forged_answers_name_nobody_and_keep_nobody_from_being_named,
            answers_to_a_socket_that_never_asked_are_not_heard,
            mangled_answers_neither_stop_the_observer_nor_name_anybody,
        ]
    );
}

/// Where forgeries lead.
const TRAP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// In front of the true answer, which has a foreign record besides: answers under another id, and to another question.
fn forge() -> Forge {
    Box::new(|query, mut answer| {
        let id = u16::from_be_bytes([query[0], query[1]]);
        let other_id = nameserver::response(id ^ 1, "api.example", "api.example", TRAP);
        let other_question = nameserver::response(id, "bank.example", "bank.example", TRAP);
        // The question and one record in the answer section; another one in the section behind.
        let record = &other_question[nameserver::query(id, "bank.example", false).len()..];
        answer[7] += 1;
        answer[11] += 1;
        answer.extend([record, record].concat());
        vec![other_id, other_question, answer]
    })
}

fn forged_answers_name_nobody_and_keep_nobody_from_being_named() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        namespace.add_ipv4(TRAP);
        let _server = NameServer::forging(SERVER, ZONE, forge());
        let mut observer = observer(namespace);
        let mut actor = Actor::spawn();
        let named = closes(&mut observer, &mut actor, "api.example", &listen(PEER));
        assert_named(&named, "api.example", "dns");
        assert_named_at_last(&mut observer, &mut actor, TRAP, &listen(TRAP), (&host_name(), "local"));
        let report = observer.stop();
        // Two queries of the C library, each with two forgeries.
        assert!(report.stopped().number("naming.dns.unasked") >= 4, "{:?}", report.stopped());
    });
}

fn answers_to_a_socket_that_never_asked_are_not_heard() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        namespace.add_ipv4(TRAP);
        let mut observer = observer(namespace);
        let innocent = UdpSocket::bind((SERVER, 0)).expect("a socket");
        innocent.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let from_port_53 = UdpSocket::bind(SocketAddr::new(SERVER.into(), 53)).expect("port 53");
        let lie = nameserver::response(7, "bank.example", "bank.example", TRAP);
        from_port_53.send_to(&lie, innocent.local_addr().unwrap()).expect("a lie leaves");
        innocent.recv_from(&mut [0; 512]).expect("it came in");
        assert_named_at_last(&mut observer, &mut Actor::spawn(), TRAP, &listen(TRAP), (&host_name(), "local"));
    });
}

const MANGLED: Zone = &[("mangled.example", Has::Alias("api.mangled.example")), ("api.mangled.example", Has::V4(PEER))];

/// Mangled answers in front of each true one.
const LIES: usize = 20;

fn mangled_answers_neither_stop_the_observer_nor_name_anybody() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let mut dice = Dice(53);
        let mangle = move |_: &[u8], answer: Vec<u8>| {
            let mut sent: Vec<Vec<u8>> = (0..LIES).map(|_| dice.mangled(&answer)).collect();
            sent.push(answer);
            sent
        };
        let _server = NameServer::forging(SERVER, MANGLED, Box::new(mangle));
        let mut observer = observer(namespace);
        let resolver = nameserver::connected(SERVER.into());
        for _ in 0..200 {
            nameserver::ask_by(&resolver, "mangled.example");
            for _ in 0..LIES {
                resolver.recv(&mut [0; 512]).expect("the rest");
            }
        }
        let act = abort::unread_on(Pair::to(SocketAddr::new(PEER.into(), 0)), Side::Client, 100);
        assert_named(&observer.expect("close_unread", &act), "mangled.example", "dns");
        let report = observer.stop();
        let count = |what: &str| report.stopped().number(&format!("naming.dns.{what}"));
        assert!(count("answers") >= 200 * LIES as u64 / 2, "most look like answers: {:?}", report.stopped());
        for what in ["malformed", "unasked", "failed", "truncated", "believed"] {
            assert!(count(what) > 0, "{what} in {:?}", report.stopped());
        }
    });
}

/// A seeded generator (SplitMix64): a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) >> 16).unwrap() % bound
    }

    /// A copy with one to four changes. What is cut still has a byte, or it would not be sent.
    fn mangled(&mut self, answer: &[u8]) -> Vec<u8> {
        let mut bytes = answer.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[place] = [0, 0x3f, 0x40, 0xc0, 0xff][self.below(5)],
                1 => bytes[place] ^= 1 << self.below(8),
                2 => bytes.truncate(place + 1),
                // In the header.
                _ => bytes[place % 12] = self.below(256) as u8,
            }
        }
        bytes
    }
}
