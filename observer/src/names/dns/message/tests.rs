use std::time::{Duration, Instant};

use super::*;
use crate::names::{
    dns::draft::{A as TYPE_A, AAAA as TYPE_AAAA, Draft, NS, Section as In, labels, pointer},
    noise::Noise,
};

/// Where the question's name stands.
const QNAME: u16 = 12;

fn subject(name: &str, ipv6: bool) -> Subject {
    Subject { name: name.to_owned(), ipv6 }
}

/// What an answer to a question for the IPv4 addresses of `www.example` says.
fn told(draft: &Draft) -> Result<(Vec<String>, u32), Refusal> {
    let found = answer(&draft.bytes, &subject("www.example", false))?;
    Ok((found.addresses.iter().map(ToString::to_string).collect(), found.ttl))
}

fn www() -> Draft {
    Draft::answer(7, "www.example", TYPE_A)
}

#[test]
fn a_query_tells_whose_addresses_it_wants() {
    let wanted = |name: &str, kind| query(&Draft::query(7, name, kind).bytes);
    assert_eq!(wanted("Www.EXAMPLE", TYPE_A), Some(subject("www.example", false)));
    assert_eq!(wanted("db", TYPE_AAAA), Some(subject("db", true)));
    assert_eq!(wanted("www.example", NS), None);
    for odd in ["", "a b.example", "\u{1b}[31m.example", "ä.example", "a/b"] {
        assert_eq!(wanted(odd, TYPE_A), None, "{odd:?}");
    }
    let dot = Draft { bytes: [&Draft::query(7, "", TYPE_A).bytes[..12], b"\x03a.b\0\0\x01\0\x01"].concat() };
    assert_eq!(query(&dot.bytes), None, "a dot inside of a label");
    assert_eq!(query(&Draft::answer(7, "www.example", TYPE_A).bytes), None, "an answer asks nothing");
    assert_eq!(query(&Draft::query(7, "www.example", TYPE_A).with(2, 0x28).bytes), None, "nor does an update");
}

#[test]
fn a_query_may_be_cut_behind_its_question() {
    let whole = Draft::query(7, "www.example", TYPE_A);
    let extended = whole.clone().record(In::Additional, &[0], 41, 0, &[0; 12]);
    assert_eq!(query(&extended.bytes[..whole.bytes.len()]), Some(subject("www.example", false)));
    for length in 0..whole.bytes.len() {
        assert_eq!(query(&whole.bytes[..length]), None, "{length} bytes");
    }
}

#[test]
fn addresses_of_the_name_are_taken() {
    let draft = www().address("WWW.example", 300, "192.0.2.1").address("www.example", 200, "192.0.2.2");
    assert_eq!(told(&draft), Ok((vec!["192.0.2.1".into(), "192.0.2.2".into()], 200)));
    assert_eq!(told(&www()), Ok((vec![], u32::MAX)), "none is an answer, too");
    let compressed = www().record(In::Answer, &pointer(QNAME), TYPE_A, 5, &[192, 0, 2, 1]);
    assert_eq!(told(&compressed), Ok((vec!["192.0.2.1".into()], 5)));
    let six = Draft::answer(7, "www.example", TYPE_AAAA).address("www.example", 5, "2001:db8::1");
    let found = answer(&six.bytes, &subject("www.example", true)).unwrap();
    assert_eq!(found.addresses, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn aliases_are_followed_in_any_order_and_the_shortest_time_counts() {
    let draft = www().address("c.example", 300, "192.0.2.1").alias("b.example", 10, "C.example").alias(
        "www.example",
        100,
        "b.example",
    );
    assert_eq!(told(&draft), Ok((vec!["192.0.2.1".into()], 10)));
    let mut long = www();
    let name = |step: usize| if step == 0 { "www.example".to_owned() } else { format!("a{step}.example") };
    for step in 0..MOST_ALIASES {
        long = long.alias(&name(step), 100, &name(step + 1));
    }
    assert_eq!(told(&long.clone().address(&name(MOST_ALIASES), 1, "192.0.2.1")), Ok((vec!["192.0.2.1".into()], 1)));
    let longer = long.alias(&name(MOST_ALIASES), 100, "end.example").address("end.example", 1, "192.0.2.1");
    assert_eq!(told(&longer), Err(Refusal::Malformed));
    let circle = www().alias("www.example", 1, "b.example").alias("b.example", 1, "www.example");
    assert_eq!(told(&circle), Err(Refusal::Malformed));
}

#[test]
fn what_was_not_asked_is_not_believed() {
    let bank = labels("www.bank.example");
    let foreign = www()
        .address("www.example", 300, "192.0.2.1")
        .address("www.bank.example", 300, "192.0.2.66")
        .alias("www.bank.example", 300, "www.example")
        .address("www.example", 300, "2001:db8::66")
        .record(In::Authority, &labels("www.example"), TYPE_A, 300, &[192, 0, 2, 67])
        .record(In::Additional, &labels("www.example"), TYPE_A, 300, &[192, 0, 2, 68])
        .record(In::Additional, &bank, TYPE_A, 300, &[192, 0, 2, 69]);
    assert_eq!(told(&foreign), Ok((vec!["192.0.2.1".into()], 300)));
    let nowhere = www().address("www.example", 300, "0.0.0.0");
    assert_eq!(told(&nowhere).unwrap().0, [""; 0], "the address that is none");
    let mut other_class = www().address("www.example", 300, "192.0.2.66");
    let class = other_class.bytes.len() - 4 - 2 - 4 - 1;
    other_class.bytes[class] = 3;
    assert_eq!(told(&other_class).unwrap().0, [""; 0], "of the Chaos network");
}

#[test]
fn only_a_good_answer_to_this_very_question_is_one() {
    let good = www().address("www.example", 300, "192.0.2.1");
    let astray = [
        Draft::query(7, "www.example", TYPE_A).address("www.example", 300, "192.0.2.1"),
        good.clone().with(2, 0x81 | 4 << 3),
        good.clone().with(5, 0),
        good.clone().with(5, 2),
        Draft::answer(7, "www.bank.example", TYPE_A).address("www.bank.example", 300, "192.0.2.1"),
        Draft::answer(7, "www.example", TYPE_AAAA).address("www.example", 300, "2001:db8::1"),
        Draft::answer(7, "www.example", NS).address("www.example", 300, "192.0.2.1"),
    ];
    for (index, draft) in astray.iter().enumerate() {
        assert_eq!(told(draft), Err(Refusal::Astray), "{index}");
    }
    assert_eq!(told(&good.clone().with(2, 0x83)), Err(Refusal::Truncated));
    for rcode in 1..=15 {
        assert_eq!(told(&good.clone().with(3, 0x80 | rcode)), Err(Refusal::Failed), "{rcode}");
    }
    assert!(told(&good).is_ok());
}

#[test]
fn names_that_lead_nowhere_make_a_message_malformed() {
    let end = u16::try_from(www().bytes.len()).unwrap();
    let owners: [(&str, Vec<u8>); 6] = [
        ("a pointer to itself", pointer(end).to_vec()),
        ("a pointer forwards", pointer(end + 40).to_vec()),
        ("a pointer out of the message", pointer(0x3fff).to_vec()),
        ("a circle of two", [&b"\x01a"[..], &pointer(end)].concat()),
        ("an unknown label", vec![0x41, b'a', 0]),
        ("a name of 260 bytes", [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4)),
    ];
    for (what, owner) in owners {
        let draft = www().record(In::Answer, &owner, TYPE_A, 300, &[192, 0, 2, 1]);
        assert_eq!(told(&draft), Err(Refusal::Malformed), "{what}");
    }
    for (what, kind, data) in [("a short address", TYPE_A, &[192, 0, 2][..]), ("a long one", TYPE_A, &[0; 5])] {
        let draft = www().record(In::Answer, &labels("www.example"), kind, 300, data);
        assert_eq!(told(&draft), Err(Refusal::Malformed), "{what}");
    }
    let many = www().address("www.example", 300, "192.0.2.1").with(7, 9);
    assert_eq!(told(&many), Err(Refusal::Malformed), "fewer records than it says");
}

#[test]
fn a_part_of_an_answer_is_no_answer() {
    let whole = www().alias("www.example", 60, "b.example").address("b.example", 60, "192.0.2.1").bytes;
    for length in 0..whole.len() {
        assert!(answer(&whole[..length], &subject("www.example", false)).is_err(), "{length} bytes");
    }
    assert!(answer(&whole, &subject("www.example", false)).is_ok());
}

#[test]
fn any_bytes_are_an_answer_or_a_refusal_in_no_time() {
    let valid = www()
        .alias("www.example", 60, "b.example")
        .record(In::Answer, &pointer(QNAME), TYPE_A, 60, &[192, 0, 2, 1])
        .address("b.example", 60, "192.0.2.2")
        .record(In::Authority, &labels("example"), NS, 60, &labels("ns.example"))
        .record(In::Additional, &[0], 41, 0, &[0; 12])
        .bytes;
    let mut noise = Noise::new(53);
    let (mut believed, mut slowest) = (0, Duration::ZERO);
    for _ in 0..50_000 {
        let bytes = noise.mutate(&valid);
        let start = Instant::now();
        let _ = (id(&bytes), query(&bytes));
        let found = answer(&bytes, &subject("www.example", false));
        slowest = slowest.max(start.elapsed());
        let Ok(found) = found else { continue };
        believed += 1;
        assert_eq!(bytes[2] & 0xfa, 0x80, "an answer, to a query, that is whole");
        assert_eq!(bytes[3] & 0x0f, 0, "without an error");
        assert_eq!(bytes[4..6], [0, 1], "with one question");
        assert!(found.addresses.iter().all(|address| address.is_ipv4() && !address.is_unspecified()));
    }
    assert!((1_000..49_000).contains(&believed), "the changes are neither too rough nor too gentle: {believed}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn the_largest_answer_is_read_in_no_time() {
    // As many aliases of one name as fit, none of which leads on, each compared with every step.
    let mut draft = www();
    while draft.bytes.len() < 4_000 {
        draft = draft.record(In::Answer, &pointer(QNAME), 5, 60, &pointer(QNAME));
    }
    let start = Instant::now();
    assert_eq!(told(&draft), Err(Refusal::Malformed));
    assert!(start.elapsed() < Duration::from_secs(1));
}
