use std::net::IpAddr;

use zerocopy::IntoBytes as _;

use super::{
    draft::{A, AAAA, Draft},
    *,
};
use crate::names::noise::Noise;

const NETNS: u32 = 4_026_531_840;
const SECOND: u64 = 1_000_000_000;

fn record(direction: u32, socket: u64, tgid: u32, draft: &Draft) -> Vec<u8> {
    let bytes = u32::try_from(draft.bytes.len()).unwrap();
    let netns = if tgid == 0 { 0 } else { NETNS };
    let head = Datagram { time_ns: SECOND, socket, start_ns: SECOND, tgid, netns, direction, bytes };
    // Records have room behind what they hold.
    [head.as_bytes(), &draft.bytes, &[0xaa; 40]].concat()
}

fn asks(dns: &mut Dns, tgid: u32, socket: u64, id: u16, name: &str, kind: u16) {
    dns.hear(&record(Direction::ASKED, socket, tgid, &Draft::query(id, name, kind)));
}

fn is_told(dns: &mut Dns, socket: u64, draft: &Draft) {
    dns.hear(&record(Direction::ANSWERED, socket, 0, draft));
}

fn known(dns: &Dns, address: &str, tgid: u32) -> Option<String> {
    let whose = ProcessId::of(tgid, SECOND).map_or(Whose::Anybody, Whose::Process);
    dns.answers().name(address.parse::<IpAddr>().unwrap(), whose, SECOND).map(ToString::to_string)
}

#[test]
fn an_answer_names_its_addresses_as_the_process_has_asked() {
    let mut dns = Dns::default();
    asks(&mut dns, 1, 100, 7, "WWW.example", A);
    asks(&mut dns, 1, 100, 8, "www.example", AAAA);
    let four = Draft::answer(7, "WwW.ExAmPlE", A).alias("www.example", 9, "cdn.example");
    is_told(&mut dns, 100, &four.address("cdn.example", 9, "192.0.2.1"));
    let six = Draft::answer(8, "www.example", AAAA).address("www.example", 9, "2001:db8::1");
    is_told(&mut dns, 100, &six);
    for address in ["192.0.2.1", "2001:db8::1"] {
        assert_eq!(known(&dns, address, 1).as_deref(), Some("www.example"));
        assert_eq!(known(&dns, address, 2), None);
    }
    assert_eq!((dns.counts().queries, dns.counts().believed, dns.counts().kept), (2, 2, 2));
}

#[test]
fn answers_that_nobody_asked_for_are_not_believed() {
    let mut dns = Dns::default();
    let forged = |id: u16, name: &str| Draft::answer(id, name, A).address(name, 9, "192.0.2.66");
    is_told(&mut dns, 100, &forged(7, "www.example"));
    asks(&mut dns, 1, 100, 7, "www.example", A);
    is_told(&mut dns, 101, &forged(7, "www.example"));
    is_told(&mut dns, 100, &forged(8, "www.example"));
    is_told(&mut dns, 100, &forged(7, "www.bank.example"));
    assert_eq!((dns.counts().answers, dns.counts().unasked, dns.counts().kept), (4, 4, 0));
    is_told(&mut dns, 100, &Draft::answer(7, "www.example", A).address("www.example", 9, "192.0.2.1"));
    assert_eq!(known(&dns, "192.0.2.1", 1).as_deref(), Some("www.example"), "after all the forgeries");
    is_told(&mut dns, 100, &forged(7, "www.example"));
    assert_eq!(known(&dns, "192.0.2.66", 0), None, "nor is a second answer");
}

#[test]
fn errors_are_counted_and_the_query_waits_on() {
    let mut dns = Dns::default();
    asks(&mut dns, 1, 100, 7, "www.example", A);
    let good = Draft::answer(7, "www.example", A).address("www.example", 9, "192.0.2.1");
    is_told(&mut dns, 100, &good.clone().with(3, 0x82));
    is_told(&mut dns, 100, &good.clone().with(2, 0x83));
    is_told(&mut dns, 100, &good.clone().with(7, 9));
    let counts = dns.counts();
    assert_eq!((counts.failed, counts.truncated, counts.malformed, counts.believed), (1, 1, 1, 0));
    is_told(&mut dns, 100, &good);
    assert_eq!(dns.counts().believed, 1);
}

#[test]
fn other_questions_are_answered_without_a_word() {
    let mut dns = Dns::default();
    asks(&mut dns, 1, 100, 7, "1.2.0.192.in-addr.arpa", 12);
    is_told(&mut dns, 100, &Draft::answer(7, "1.2.0.192.in-addr.arpa", 12));
    let counts = dns.counts();
    assert_eq!((counts.queries, counts.answers, counts.unasked, counts.malformed, counts.kept), (1, 1, 0, 0, 0));
}

#[test]
fn records_that_are_none_are_counted() {
    let mut dns = Dns::default();
    let good = record(Direction::ASKED, 100, 1, &Draft::query(7, "www.example", A));
    let whole = good.len() - 40;
    for length in 0..whole {
        dns.hear(&good[..length]);
    }
    assert_eq!((dns.counts().malformed, dns.counts().queries), (whole as u64, 0));
    dns.hear(&record(3, 100, 1, &Draft::query(7, "www.example", A)));
    assert_eq!(dns.counts().malformed, whole as u64 + 1, "an unknown direction");
    dns.hear(&good);
    assert_eq!(dns.counts().queries, 1);
}

#[test]
fn whatever_a_server_sends_only_names_that_were_asked_are_known() {
    let mut dns = Dns::default();
    let mut noise = Noise::new(4);
    let names = ["a.example", "b.example", "xn--bcher-kva.example"];
    for round in 0..30_000 {
        let name = names[noise.below(names.len())];
        let id = u16::try_from(noise.below(4)).unwrap();
        if noise.below(2) == 0 {
            asks(&mut dns, 1, 100, id, name, A);
        }
        let valid = Draft::answer(id, name, A)
            .alias(name, 9, "cdn.example")
            .address("cdn.example", 9, "192.0.2.1")
            .address("bank.example", 9, "192.0.2.66");
        is_told(&mut dns, 100, &Draft { bytes: noise.mutate(&valid.bytes) });
        if round % 1_000 == 0 {
            dns.hear(&noise.mutate(&record(Direction::ANSWERED, 100, 0, &valid)));
        }
    }
    let counts = dns.counts();
    assert!(counts.believed > 500 && counts.malformed > 500 && counts.unasked > 500, "{counts:?}");
    assert!(counts.kept > 0);
    assert!(dns.answers().names().all(|name| names.contains(&name)), "{:?}", dns.answers());
}
