use super::*;

const SECOND: u64 = 1_000_000_000;
const HOUR_S: u32 = 3_600;

fn process(tgid: u32) -> ProcessId {
    ProcessId::of(tgid, 5 * SECOND).unwrap()
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// Answers about one address, each as name, process, namespace and second.
fn answers(told: &[(&str, u32, u32, u64)]) -> Answers {
    let mut answers = Answers::default();
    for (name, asker, netns, second) in told {
        answers.learn(address(1), &(*name).into(), Some(process(*asker)), *netns, second * SECOND, HOUR_S);
    }
    answers
}

fn name(answers: &Answers, whose: Whose, second: u64) -> Option<&str> {
    answers.name(address(1), whose, second * SECOND).map(|name| &**name)
}

#[test]
fn a_process_is_told_the_name_that_it_asked_for() {
    let known = answers(&[("a.example", 1, 10, 1), ("b.example", 2, 10, 2), ("c.example", 3, 20, 3)]);
    assert_eq!(name(&known, Whose::Process(process(1)), 9), Some("a.example"));
    assert_eq!(name(&known, Whose::Process(process(2)), 9), Some("b.example"));
    assert_eq!(name(&known, Whose::Process(process(4)), 9), None);
    assert_eq!(name(&known, Whose::Namespace(10), 9), Some("b.example"), "the one asked last");
    assert_eq!(name(&known, Whose::Namespace(20), 9), Some("c.example"));
    assert_eq!(name(&known, Whose::Namespace(30), 9), None);
    assert_eq!(name(&known, Whose::Anybody, 9), Some("c.example"));
    assert_eq!(known.name(address(2), Whose::Anybody, 9 * SECOND), None);
    let namesake = ProcessId::of(1, 6 * SECOND).unwrap();
    assert_eq!(name(&known, Whose::Process(namesake), 9), None, "an id that was given away again");
}

#[test]
fn the_name_asked_last_before_the_connection_counts() {
    let known = answers(&[("a.example", 1, 10, 10), ("b.example", 1, 10, 20), ("a.example", 1, 10, 30)]);
    let at = |second| name(&known, Whose::Process(process(1)), second);
    assert_eq!(at(15), Some("a.example"), "asked at 10, though asked again at 30");
    assert_eq!(at(25), Some("b.example"));
    assert_eq!(at(30), Some("a.example"));
    assert_eq!(at(5), Some("a.example"), "a connection that is older than any answer: the first one");
}

#[test]
fn a_name_speaks_until_its_time_is_over() {
    let mut known = Answers::default();
    let mut learn = |second: u64, ttl| known.learn(address(1), &"a.example".into(), None, 10, second * SECOND, ttl);
    learn(0, 100);
    learn(50, 100);
    assert_eq!(name(&known, Whose::Anybody, 150), Some("a.example"), "counted from the last answer");
    assert_eq!(name(&known, Whose::Anybody, 151), None);
    assert_eq!(name(&known, Whose::Anybody, 40), Some("a.example"), "a connection of that time, however late we look");
}

#[test]
fn an_answer_after_a_pause_says_nothing_of_the_time_before() {
    let mut known = Answers::default();
    let mut learn = |name: &str, second: u64| known.learn(address(1), &name.into(), None, 10, second * SECOND, 60);
    learn("a.example", 0);
    learn("b.example", 100);
    learn("a.example", 200);
    assert_eq!(name(&known, Whose::Anybody, 120), Some("b.example"));
    assert_eq!(name(&known, Whose::Anybody, 161), Some("a.example"), "nobody else: the first that comes after");
}

#[test]
fn times_to_live_have_bounds() {
    for (ttl, good_s) in [(0, 60), (59, 60), (61, 61), (86_401, 86_400), (u32::MAX, 86_400)] {
        let mut known = Answers::default();
        known.learn(address(1), &"a.example".into(), None, 10, 0, ttl);
        assert!(name(&known, Whose::Anybody, good_s).is_some(), "{ttl}");
        assert!(name(&known, Whose::Anybody, good_s + 1).is_none(), "{ttl}");
    }
}

#[test]
fn a_repeated_answer_takes_no_more_room() {
    let mut known = Answers::default();
    for second in 0..10_000 {
        known.learn(address(1), &"a.example".into(), Some(process(1)), 10, second * SECOND, HOUR_S);
    }
    assert_eq!((known.len(), known.evicted), (1, 0));
    assert_eq!(known.bytes, ENTRY_BYTES + "a.example".len());
}

#[test]
fn one_address_with_many_names_has_room_for_some() {
    let mut known = Answers::default();
    for number in 0..1_000 {
        let name = format!("h{number}.example");
        known.learn(address(1), &name.as_str().into(), Some(process(number + 1)), 10, u64::from(number), HOUR_S);
    }
    assert_eq!((known.len(), known.evicted), (MOST_PER_ADDRESS, 1_000 - MOST_PER_ADDRESS as u64));
    assert_eq!(name(&known, Whose::Process(process(1_000)), 1), Some("h999.example"));
    assert_eq!(name(&known, Whose::Process(process(1)), 1), None);
}

#[test]
fn the_oldest_names_go_when_there_are_too_many() {
    let mut known = Answers::default();
    let place = |number: usize| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number as u32));
    for number in 0..2 * MOST_ENTRIES {
        known.learn(place(number), &"a.example".into(), None, 10, 0, HOUR_S);
        assert!(known.len() <= MOST_ENTRIES && known.bytes <= MOST_BYTES);
    }
    assert_eq!(known.evicted, MOST_ENTRIES as u64);
    assert_eq!(known.name(place(0), Whose::Anybody, 0), None);
    assert!(known.name(place(2 * MOST_ENTRIES - 1), Whose::Anybody, 0).is_some());
    let long = "a.".repeat(125) + "example";
    for number in 0..2 * MOST_ENTRIES {
        known.learn(place(number), &long.as_str().into(), None, 10, 0, HOUR_S);
        assert!(known.bytes <= MOST_BYTES);
    }
    let (entries, bytes) =
        known.entries.values().flatten().fold((0, 0), |(entries, bytes), entry| (entries + 1, bytes + weight(entry)));
    assert_eq!((entries, bytes), (known.len(), known.bytes), "the books balance");
}
