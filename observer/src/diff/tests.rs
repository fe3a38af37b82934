use super::*;
use crate::{
    clock,
    event::Event,
    fixture::{FLEET, fleet},
};

/// A minute, ns.
const MIN: i64 = 60_000_000_000;

/// Some time.
const BEGIN: i64 = 1_700_000_040_000_000_000;

fn close(at: i64, comm: &str, cause: &str, severity: &str, unread: u64) -> Event {
    let mut value: serde_json::Value = serde_json::from_str(FLEET.lines().nth(3).unwrap()).unwrap();
    value["time"] = clock::wall_text(at).into();
    value["process"]["comm"] = comm.into();
    value["cause"] = cause.into();
    value["severity"] = severity.into();
    value["tcp"]["unread_bytes"] = unread.into();
    serde_json::from_value(value).unwrap()
}

/// So many closes of a process, evenly over ten minutes from a minute on.
fn closes(from: i64, count: i64, comm: &str) -> Vec<Event> {
    (0..count)
        .map(|one| close(BEGIN + from * MIN + one * 10 * MIN / count, comm, "close_unread", "harmful", 100))
        .collect()
}

fn question(by: &[Field]) -> Question {
    Question { by: by.to_vec(), ratio: 2.0, least: 1 }
}

/// The first ten minutes against the second ten.
fn compared(events: &[Event], question: &Question) -> Comparison {
    let store = Store::holding(events);
    let all = Selection::default();
    let before = all.within(Some(BEGIN), Some(BEGIN + 10 * MIN));
    let after = all.within(Some(BEGIN + 10 * MIN), Some(BEGIN + 20 * MIN));
    compare((&store, &before), (&store, &after), question).unwrap()
}

fn told(comparison: &Comparison) -> Vec<(&str, &str, u64, u64)> {
    let name = |group: &Changed| group.change.name();
    let groups = comparison.groups.iter();
    groups.map(|group| (name(group), group.values[0].as_deref().unwrap_or("?"), group.before, group.after)).collect()
}

#[test]
fn groups_are_new_gone_more_and_less_and_the_heaviest_comes_first() {
    let events = [
        closes(0, 20, "gone"),
        closes(10, 200, "new"),
        closes(0, 10, "more"),
        closes(10, 60, "more"),
        closes(0, 80, "less"),
        closes(10, 30, "less"),
        closes(0, 50, "same"),
        closes(10, 50, "same"),
    ];
    let comparison = compared(&events.concat(), &question(&[Field::Process]));
    assert_eq!(
        told(&comparison),
        [("new", "new", 0, 200), ("less", "less", 80, 30), ("more", "more", 10, 60), ("gone", "gone", 20, 0)]
    );
    assert_eq!((comparison.before.events, comparison.after.events, comparison.untold), (160, 340, 0));
    let less = &comparison.groups[1];
    assert_eq!((less.rate_before, less.rate_after, less.ratio()), (Some(8.0), Some(3.0), Some(0.375)));
    assert_eq!((less.unread_before, less.unread_after), (8_000, 3_000));
}

#[test]
fn what_changed_too_little_is_counted_and_not_told() {
    let events = [
        // Not twice as many.
        closes(0, 100, "steady"),
        closes(10, 150, "steady"),
        // Three times as many, as chance may have it.
        closes(0, 1, "rare"),
        closes(10, 3, "rare"),
        closes(10, 2, "new"),
    ];
    let events = events.concat();
    let comparison = compared(&events, &question(&[Field::Process]));
    assert_eq!((told(&comparison), comparison.untold), (vec![("new", "new", 0, 2)], 2));
    let keen = Question { ratio: 1.2, ..question(&[Field::Process]) };
    assert_eq!(told(&compared(&events, &keen)), [("more", "steady", 100, 150), ("new", "new", 0, 2)]);
    let calm = Question { least: 5, ..question(&[Field::Process]) };
    let comparison = compared(&events, &calm);
    assert_eq!((told(&comparison), comparison.untold), (vec![], 3));
}

#[test]
fn times_of_different_lengths_are_compared_by_their_rates() {
    let store = Store::holding(&[closes(0, 40, "shop"), closes(10, 40, "shop"), closes(20, 40, "shop")].concat());
    let all = Selection::default();
    let at = |from: i64, to: i64| all.within(Some(BEGIN + from * MIN), Some(BEGIN + to * MIN));
    let by = question(&[Field::Process]);
    let comparison = compare((&store, &at(0, 10)), (&store, &at(10, 30)), &by).unwrap();
    assert_eq!((comparison.before.events, comparison.after.events), (40, 80));
    assert!(comparison.groups.is_empty(), "the same rate: {:?}", comparison.groups);
    let comparison = compare((&store, &at(0, 10)), (&store, &at(10, 60)), &by).unwrap();
    assert_eq!(told(&comparison), [("less", "shop", 40, 80)], "twice as many in five times the time");
}

#[test]
fn two_files_are_compared_over_the_time_that_they_tell_of() {
    let (one, other) = (Store::holding(&closes(0, 100, "shop")), Store::holding(&closes(5, 300, "shop")));
    let all = Selection::default();
    let comparison = compare((&one, &all), (&other, &all), &question(&[Field::Process])).unwrap();
    assert_eq!(told(&comparison), [("more", "shop", 100, 300)]);
    assert_eq!(comparison.before.since, Some(BEGIN));
    assert!((comparison.before.minutes().unwrap() - 9.9).abs() < 0.01);
    let empty = Store::holding(&[]);
    let comparison = compare((&empty, &all), (&other, &all), &question(&[Field::Process])).unwrap();
    assert_eq!(told(&comparison), [("new", "shop", 0, 300)]);
    assert_eq!(comparison.groups[0].rate_before, None, "nobody knows how long");
}

#[test]
fn a_new_group_is_as_bad_as_the_worst_of_it() {
    let new = |severity| {
        let events = [
            close(BEGIN, "old", "close_unread", "harmful", 1),
            close(BEGIN + 11 * MIN, "old", "close_unread", "harmful", 1),
            close(BEGIN + 12 * MIN, "new", "linger_zero", "benign", 0),
            close(BEGIN + 13 * MIN, "new", "linger_zero", severity, 0),
        ];
        compared(&events, &question(&[Field::Process]))
    };
    assert!(!new("benign").has_new(Severity::Suspect));
    assert!(new("suspect").has_new(Severity::Suspect));
    assert_eq!(new("harmful").groups[0].severity, Some(Severity::Harmful));
    assert_eq!(new("harmful").groups.len(), 1, "severity is no group of its own");
}

#[test]
fn a_deployment_is_told_in_a_table_and_as_an_object() {
    let store = Store::holding(&fleet());
    let time = |text: &str| text.parse::<clock::Time>().unwrap().unix_ns();
    let all = Selection::default();
    let before = all.within(Some(time("2026-11-20T10:00:00Z")), Some(time("2026-11-20T12:00:00Z")));
    let after = all.within(Some(time("2026-11-20T12:00:00Z")), Some(time("2026-11-20T13:00:00Z")));
    let by = question(&[Field::Process, Field::Peer, Field::Cause]);
    let comparison = compare((&store, &before), (&store, &after), &by).unwrap();
    let mut out = Vec::new();
    comparison.table(&mut out, None).unwrap();
    let table = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "before  2026-11-20T10:00:00Z to 2026-11-20T12:00:00Z, 120.0 minutes: 2 events",
            "after   2026-11-20T12:00:00Z to 2026-11-20T13:00:00Z, 60.0 minutes: 9 events",
            "",
            "change  process     peer              cause             severity  before  after  before/min  after/min  times   \
             unread  first",
            "more    shop        api.prod.example  close_unread      harmful        1      4        0.01       0.07    8.0  \
             +11,578  2026-11-20T11:15:00Z",
        ]
    );
    assert!(table.contains("\nnew     api-server  10.0.0.12         data_after_close  suspect "), "{table}");
    assert!(table.ends_with("\n1 group changed too little to be told.\n"), "{table}");
    let mut out = Vec::new();
    comparison.json(&mut out).unwrap();
    let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&object["before"]["minutes"], &object["after"]["events"]), (&120.0.into(), &9.into()));
    let more = &object["groups"][0];
    assert_eq!(more["change"], "more");
    assert_eq!(
        more["group"],
        serde_json::json!({"cause": "close_unread", "peer": "api.prod.example", "process": "shop"})
    );
    assert_eq!((&more["times"], &more["before"], &more["unread_after"]), (&8.0.into(), &1.into(), &12_578.into()));
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "a line");
}
