//! Verdicts on hand-made counts.

use std::sync::Arc;

use ChurnVerdict::{Closes, OnePerProcess, PeerCloses, Resets};
use Severity::{Benign, Suspect};
use observer_ebpf::{Person, Role as RoleCode};

use super::*;
use crate::{
    event::{Body, ChurnVerdict, Reuse, Role, Runtime},
    message::Sentence,
    severity::Severity,
};

const WINDOW: Window = window(10);

/// A window that began before every process of these tests but number 0.
const fn window(seconds: u64) -> Window {
    Window { length: Duration::from_secs(seconds), since_ns: 1_000, clock: Clock::with_offset(0) }
}

fn address(octets: [u8; 4]) -> [u32; 4] {
    [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes(octets)]
}

fn comm(name: &[u8]) -> [u32; 4] {
    let bytes = crate::procfile::comm(name);
    std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|byte| bytes[4 * word + byte])))
}

/// A process and its peer.
fn pair(tgid: u32, role: u8) -> Pair {
    let start_ns = u64::from(tgid) * 1_000;
    Pair { start_ns, peer: address([10, 1, 2, 3]), tgid, netns: 7, port: 443, role, window: 0, padding: 0 }
}

/// Connections of 2 ms, each with a request in one segment.
fn count(tgid: u32, closed: u64) -> Count {
    let who = Person {
        tgid,
        pid: tgid,
        start_ns: u64::from(tgid) * 1_000,
        uid: 1_000,
        cgroup_id: 5,
        comm: comm(b"client"),
        ..Person::NOBODY
    };
    Count {
        who,
        opened: closed,
        closed,
        flagged: 0,
        short_lived: closed,
        peer_first: 0,
        single: closed,
        lifetime_us: 2_000 * closed,
        srtt_us: 500 * closed,
        measured: closed,
        sent_bytes: 100 * closed,
        received_bytes: 2_000 * closed,
    }
}

fn told(counts: &[(Pair, Count)], window: &Window) -> Vec<Churn> {
    select(find(counts, window), 0).told
}

fn verdict(role: u8, count: Count) -> Option<Churn> {
    let verdicts = told(&[(pair(42, role), count)], &WINDOW);
    assert!(verdicts.len() <= 1);
    verdicts.into_iter().next()
}

#[test]
fn a_pair_is_told_from_ten_closes_on_half_of_them_short_lived() {
    for role in [RoleCode::CLIENT, RoleCode::SERVER] {
        assert_eq!(verdict(role, count(42, 9)), None);
        assert!(verdict(role, count(42, 10)).is_some());
        assert!(verdict(role, Count { short_lived: 10, ..count(42, 20) }).is_some());
        assert_eq!(verdict(role, Count { short_lived: 9, ..count(42, 20) }), None);
        assert_eq!(verdict(role, Count { closed: 0, ..count(42, 100) }), None, "all are open still");
    }
    assert_eq!(verdict(RoleCode::UNKNOWN, count(42, 100)), None, "no kernel side counts that");
}

#[test]
fn who_closes_first_and_how_is_the_verdict() {
    let kind = |role, flagged, peer_first| {
        let churn = verdict(role, Count { flagged, peer_first, ..count(42, 100) }).unwrap();
        (churn.verdict, churn.severity)
    };
    assert_eq!(kind(RoleCode::CLIENT, 0, 0), (Closes, Suspect));
    assert_eq!(kind(RoleCode::CLIENT, 49, 49), (Closes, Suspect));
    assert_eq!(kind(RoleCode::CLIENT, 50, 0), (Resets, Suspect));
    assert_eq!(kind(RoleCode::CLIENT, 100, 50), (PeerCloses, Benign));
    assert_eq!(kind(RoleCode::SERVER, 0, 0), (Closes, Benign));
    assert_eq!(kind(RoleCode::SERVER, 100, 0), (Resets, Benign));
    assert_eq!(kind(RoleCode::SERVER, 0, 100), (PeerCloses, Benign));
}

#[test]
fn as_seldom_as_a_health_check_is_benign() {
    let severity = |seconds| told(&[(pair(42, RoleCode::CLIENT), count(42, 30))], &window(seconds))[0].severity;
    assert_eq!(severity(30), Suspect);
    assert_eq!(severity(31), Benign);
}

#[test]
fn the_sentence_names_process_peer_rate_and_reuse() {
    let churn = verdict(RoleCode::CLIENT, count(42, 2_000)).unwrap();
    assert_eq!((churn.rate_per_s, churn.mean_lifetime_ms, churn.window_ms), (200.0, 2.0, 10_000));
    assert_eq!((churn.sent_bytes, churn.received_bytes), (100, 2_000));
    let sentence = |churn: Churn| Sentence(&Body::Churn(Box::new(churn))).to_string();
    assert_eq!(
        sentence(churn),
        "client[42] closed 2,000 connections to 10.1.2.3:443 within 10 s, each open for 2 ms on average: none was used twice"
    );
    let served = verdict(RoleCode::SERVER, Count { peer_first: 12, single: 0, ..count(42, 12) }).unwrap();
    assert_eq!((served.network.peer.port, served.network.local.as_ref().map(|end| end.port)), (None, Some(443)));
    assert_eq!(
        sentence(served),
        "client[42] closed 12 connections from 10.1.2.3 to its port 443 within 10 s, 12 of them after the peer had \
         closed, each open for 2 ms on average"
    );
}

#[test]
fn a_pool_would_have_spared_all_handshakes_but_those_of_what_is_open_at_a_time() {
    let one_at_a_time = verdict(RoleCode::CLIENT, count(42, 100)).unwrap();
    assert_eq!((one_at_a_time.handshakes_wasted, one_at_a_time.wasted_ms), (99, Some(49.5)));
    // Five at a time, each open for half a second.
    let many = verdict(RoleCode::CLIENT, Count { lifetime_us: 50_000_000, ..count(42, 100) }).unwrap();
    assert_eq!(many.handshakes_wasted, 95);
    let unmeasured = verdict(RoleCode::CLIENT, Count { measured: 0, srtt_us: 0, ..count(42, 100) }).unwrap();
    assert_eq!(unmeasured.wasted_ms, None);
}

#[test]
fn reuse_is_told_where_tcp_can_tell() {
    let reuse =
        |single, short_lived| verdict(RoleCode::CLIENT, Count { single, short_lived, ..count(42, 100) }).unwrap().reuse;
    assert_eq!(reuse(100, 100), Some(Reuse::None));
    assert_eq!(reuse(99, 100), None, "a large request, or a second one");
    assert_eq!(reuse(99, 99), Some(Reuse::Some));
    assert_eq!(reuse(100, 60), Some(Reuse::None));
}

#[test]
fn processes_of_one_program_are_one_verdict() {
    let runs = |range: std::ops::Range<u32>| -> Vec<(Pair, Count)> {
        range.map(|tgid| (pair(tgid, RoleCode::CLIENT), count(tgid, 1))).collect()
    };
    assert_eq!(told(&runs(1..10), &WINDOW), []);
    let one = told(&runs(1..11), &WINDOW);
    assert_eq!(one.len(), 1);
    let churn = &one[0];
    assert_eq!((churn.verdict, churn.severity, churn.processes), (OnePerProcess, Benign, Some(10)));
    assert_eq!((churn.connections.closed, churn.process.pid, churn.process.start_ns), (10, 10, 10_000), "the last one");
    assert_eq!(
        Sentence(&Body::Churn(Box::new(churn.clone()))).to_string(),
        "10 processes named client closed 10 connections to 10.1.2.3:443 within 10 s, each open for 2 ms on average: \
         none was used twice"
    );
    assert_eq!(told(&runs(0..10), &WINDOW), [], "one of them is older");
    let mut others = runs(1..11);
    others[0].1.who.cgroup_id = 6;
    assert_eq!(told(&others, &WINDOW), [], "one of them runs elsewhere");
    let mut served = runs(1..11);
    served.iter_mut().for_each(|(pair, _)| pair.role = RoleCode::SERVER);
    assert_eq!(told(&served, &WINDOW), [], "workers of a server");
    let mut lasting = runs(1..11);
    lasting.iter_mut().for_each(|(_, count)| count.short_lived = 0);
    assert_eq!(told(&lasting, &WINDOW), []);
}

#[test]
fn every_verdict_has_advice_and_a_runtime_its_own() {
    let churn = verdict(RoleCode::CLIENT, count(42, 100)).unwrap();
    let advised = |verdict, role, runtime: Option<&str>| {
        let mut churn = Churn { verdict, ..churn.clone() };
        churn.network.role = role;
        Arc::make_mut(&mut churn.process).runtime =
            runtime.map(|name| Runtime { name: name.to_owned(), version: None });
        advice(&churn)
    };
    for verdict in [Resets, Closes, PeerCloses] {
        for role in [Role::Client, Role::Server] {
            let general = advised(verdict, role, None).unwrap();
            assert!(general.advice.ends_with('.') && !general.reference.is_empty(), "{general:?}");
            assert_eq!(advised(verdict, role, Some("rust")), Some(general), "nothing is known of it");
        }
    }
    assert!(advised(OnePerProcess, Role::Client, Some("go")).is_some());
    assert_eq!(advised(OnePerProcess, Role::Server, None), None);
    let go = advised(Closes, Role::Client, Some("go")).unwrap();
    assert!(go.advice.contains("io.Copy(io.Discard, resp.Body)"), "{go:?}");
    assert_ne!(advised(Closes, Role::Server, Some("go")), Some(go));
}

#[test]
fn sixty_four_are_told_the_busiest_first_and_the_others_counted() {
    let counts: Vec<_> =
        (1..=70_u32).map(|tgid| (pair(tgid, RoleCode::CLIENT), count(tgid, u64::from(tgid) + 9))).collect();
    let verdicts = select(find(&counts, &WINDOW), 3);
    assert_eq!((verdicts.told.len(), verdicts.beyond), (64, 6));
    let closed: Vec<u64> = verdicts.told.iter().map(|one| one.connections.closed).collect();
    assert_eq!(closed, (16..=79).rev().collect::<Vec<_>>());
    assert!(verdicts.told.iter().all(|one| (one.beyond, one.uncounted) == (Some(6), Some(3))));
}

/// A window of ten seconds that slides over what each half of it has counted; `number` is that of the half.
fn slides(slide: &mut Slide, number: u64, counts: &[(Pair, Count)], last: bool) -> Vec<(u64, u64, f64)> {
    let window = u8::try_from(number % 2).unwrap();
    let counts = counts.iter().map(|(pair, count)| (Pair { window, ..*pair }, *count)).collect();
    let half = Half { counts, length: Duration::from_secs(5), since_ns: 1_000 + number * 1_000_000, uncounted: 1 };
    let told = slide.step(half, Clock::with_offset(0), last).told;
    told.iter().map(|one| (one.connections.closed, one.window_ms, one.rate_per_s)).collect()
}

fn closes(closed: u64) -> [(Pair, Count); 1] {
    [(pair(42, RoleCode::CLIENT), count(42, closed))]
}

#[test]
fn what_a_boundary_divides_is_told() {
    for first in 0..4 {
        let mut slide = Slide::default();
        for number in 0..first {
            assert_eq!(slides(&mut slide, number, &[], false), []);
        }
        assert_eq!(slides(&mut slide, first, &closes(6), false), []);
        assert_eq!(slides(&mut slide, first + 1, &closes(4), false), [(10, 10_000, 1.0)], "begun in half {first}");
        assert_eq!(slides(&mut slide, first + 2, &[], true), [], "told once");
    }
}

#[test]
fn each_of_many_is_told_with_what_both_halves_have_of_it() {
    // In no order, as the kernel's map has them.
    let scattered = |tgid: u32| tgid.wrapping_mul(0x9e37_79b1);
    let all: Vec<_> = (0..60).map(scattered).map(|tgid| (pair(tgid, RoleCode::SERVER), count(tgid, 10))).collect();
    let mut slide = Slide::default();
    assert_eq!(slides(&mut slide, 0, &all[..40], false), []);
    let told = slides(&mut slide, 1, &all[20..], false);
    let of = |closed| told.iter().filter(|(told, ..)| *told == closed).count();
    assert_eq!((told.len(), of(20), of(10)), (60, 20, 40));
}

#[test]
fn what_is_further_apart_than_a_window_is_not_told() {
    let mut slide = Slide::default();
    assert_eq!(slides(&mut slide, 0, &closes(6), false), []);
    assert_eq!(slides(&mut slide, 1, &[], false), []);
    assert_eq!(slides(&mut slide, 2, &closes(6), false), []);
    assert_eq!(slides(&mut slide, 3, &[], true), []);
}

#[test]
fn whoever_goes_on_is_told_once_a_window_and_of_each_connection_once() {
    let mut slide = Slide::default();
    let told: Vec<_> = (0..6).map(|number| slides(&mut slide, number, &closes(50 + number), false)).collect();
    let expected =
        [vec![], vec![(101, 10_000, 10.1)], vec![], vec![(105, 10_000, 10.5)], vec![], vec![(109, 10_000, 10.9)]];
    assert_eq!(told, expected);
    assert_eq!(slides(&mut slide, 6, &closes(56), true), [(56, 5_000, 11.2)], "the rest, in a window of its own");
}

#[test]
fn a_run_that_is_shorter_than_a_window_is_told_at_its_end() {
    assert_eq!(slides(&mut Slide::default(), 0, &closes(10), true), [(10, 5_000, 2.0)]);
    let mut slide = Slide::default();
    slides(&mut slide, 0, &closes(5), false);
    assert_eq!(slides(&mut slide, 1, &closes(5), true), [(10, 10_000, 1.0)]);
}

#[test]
fn runs_of_a_program_are_told_once_a_window_too() {
    let runs = |number: u64, from: u32| -> Vec<(Pair, Count)> {
        let start_ns = 1_000 + number * 1_000_000;
        (from..from + 8).map(|tgid| (Pair { start_ns, ..pair(tgid, RoleCode::CLIENT) }, count(tgid, 1))).collect()
    };
    let mut slide = Slide::default();
    assert_eq!(slides(&mut slide, 0, &runs(0, 100), false), []);
    assert_eq!(slides(&mut slide, 1, &runs(1, 200), false), [(16, 10_000, 1.6)]);
    assert_eq!(slides(&mut slide, 2, &runs(2, 300), false), [], "eight by themselves, and told just now");
    assert_eq!(slides(&mut slide, 3, &runs(3, 400), false), [(16, 10_000, 1.6)]);
}

#[test]
fn others_do_not_wait_for_one_who_was_told() {
    let other = |closed| [(pair(7, RoleCode::CLIENT), count(7, closed))];
    let mut slide = Slide::default();
    slides(&mut slide, 0, &closes(10), false);
    assert_eq!(slides(&mut slide, 1, &other(6), false).len(), 1);
    let both = [closes(20), other(6)].concat();
    assert_eq!(slides(&mut slide, 2, &both, false), [(12, 10_000, 1.2)]);
    assert_eq!(slides(&mut slide, 3, &[], false), [(20, 10_000, 2.0)]);
}

#[test]
fn what_had_no_room_is_told_of_the_whole_window() {
    let mut slide = Slide::default();
    let mut step = |uncounted| {
        let half = Half { counts: closes(10).into(), length: Duration::from_secs(5), since_ns: 1_000, uncounted };
        slide.step(half, Clock::with_offset(0), false).told.first().map(|one| one.uncounted)
    };
    assert_eq!([step(3), step(4), step(5), step(0)], [None, Some(Some(7)), None, Some(Some(5))]);
}

#[test]
fn any_counts_give_a_verdict_or_none() {
    // xorshift: the noise is the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Small, large and huge numbers alike.
        state >> (state % 64)
    };
    for _ in 0..10_000 {
        let mut words = [0_u64; size_of::<Count>() / 8];
        words.iter_mut().for_each(|word| *word = noise());
        let count: Count = zerocopy::transmute!(words);
        let words: [u64; size_of::<Pair>() / 8] = std::array::from_fn(|_| noise());
        let pair: Pair = zerocopy::transmute!(words);
        let length = Duration::from_micros(noise() % 1_000_000);
        let window = Window { length, since_ns: noise(), clock: Clock::with_offset(0) };
        for one in told(&[(pair, count), (Pair { role: 1, ..pair }, count)], &window) {
            assert!(one.connections.closed >= 10);
            assert!(!Sentence(&Body::Churn(Box::new(one))).to_string().is_empty());
        }
    }
}
