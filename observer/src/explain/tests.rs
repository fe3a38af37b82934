use super::*;
use crate::{
    event::Body,
    fixture::{self, FLEET},
};

fn fleet() -> Store {
    Store::holding(&fixture::fleet())
}

fn story(store: &Store, called: &str) -> Story {
    let (event, _) = finding(store, &Selection::default(), &name(called).unwrap()).unwrap();
    Story::of(event, Some(store)).unwrap()
}

#[test]
fn stories_are_told_as_they_were_reviewed() {
    let store = fleet();
    for (called, expected) in [
        ("web-2/3", include_str!("golden/close_unread.txt")),
        ("api-1/5", include_str!("golden/data_after_close.txt")),
        ("api-1/4", include_str!("golden/reset_by_peer.txt")),
    ] {
        let told = story(&store, called).text();
        assert_eq!(told, expected, "{called}:\n{told}");
    }
}

#[test]
fn every_cause_has_a_story_also_where_nothing_else_is_known() {
    for cause in Cause::ALL {
        let mut event: Event = serde_json::from_str(FLEET.lines().next().unwrap()).unwrap();
        event.body = Body::ResetSent(Finding::of(*cause, crate::event::CauseSource::Kernel));
        let told = Story::of(event, Some(&fleet())).unwrap().text();
        for head in ["What happened", "Why", "Who", "Which line", "What to do", "The other end", "How often"] {
            assert!(told.contains(&format!("\n{head}")), "{cause}: {told}");
        }
        assert!(told.contains(&cause.to_string()) && told.contains("Nobody knows"), "{told}");
    }
}

#[test]
fn both_ends_of_a_reset_name_each_other() {
    let store = fleet();
    for (one, other) in [("web-2/3", "api-1/4"), ("api-1/4", "web-2/3")] {
        let found = story(&store, one).other_end.unwrap();
        assert_eq!(format!("{}/{}", found.host.name, found.seq), other);
    }
    assert!(story(&store, "web-2/4").other_end.is_none(), "of this one no receiver has told");
}

#[test]
fn the_like_are_counted_up_to_the_event_and_in_all() {
    let often = story(&fleet(), "web-2/3").often.unwrap();
    assert_eq!(often.what, "close_unread by shop with api.prod.example:8443");
    let closes: Vec<Event> = FLEET
        .lines()
        .map(|line| serde_json::from_str::<Event>(line).unwrap())
        .filter(|event| {
            let finding = event.body.finding().filter(|finding| finding.cause == Cause::CloseUnread);
            finding.and_then(|finding| finding.process.as_ref()).is_some_and(|process| process.comm == "shop")
        })
        .collect();
    let before = closes.iter().filter(|event| event.time <= "2026-11-20T12:06:00Z".parse().unwrap());
    assert_eq!(often.day, before.count() as u64);
    assert_eq!(often.all, closes.len() as u64);
    assert!(often.hour <= often.day && often.day < often.all);
    assert_eq!(often.first.as_deref(), Some("2026-11-20T11:15Z"));
}

#[test]
fn a_number_that_several_streams_have_is_told() {
    let store = fleet();
    let (event, note) = finding(&store, &Selection::default(), &name("1").unwrap()).unwrap();
    assert_eq!((&*event.host.name, event.seq), ("api-1", 1));
    assert!(note.unwrap().contains("web-1/1 at 2026-11-20T11:15:00"));
    let missing = finding(&store, &Selection::default(), &name("nowhere/1").unwrap()).unwrap_err();
    assert_eq!(missing.to_string(), "no finding of host nowhere has the number 1 here");
}

#[test]
fn what_is_no_finding_has_no_story() {
    let event = event_of_line(FLEET.lines().next().unwrap()).unwrap();
    let told = Story::of(event, None).unwrap_err().to_string();
    assert!(told.starts_with("event 0 is of type started, and only findings have a story"), "{told}");
    assert!(format!("{:#}", event_of_line("{}").unwrap_err()).contains("expected a line"));
    let newer = FLEET.lines().next().unwrap().replace("conn-observer/1", "conn-observer/2");
    let told = format!("{:#}", event_of_line(&newer).unwrap_err());
    assert!(told.contains("of format conn-observer/2, and this program reads conn-observer/1"), "{told}");
}

#[test]
fn no_name_reaches_the_terminal_as_a_command() {
    let line = FLEET.lines().find(|line| line.contains("net.(*conn).Close")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
    let evil = "\u{1b}[2J\nWho";
    for pointer in [
        "/process/comm",
        "/process/thread/name",
        "/process/command_args/0",
        "/network/peer/name",
        "/message",
        "/stack/user/0/symbol",
        "/stack/user/0/file",
        "/process/parents/0/comm",
        "/systemd/unit",
        "/hint/advice",
        "/hint/reference",
        "/process/executable/path",
        "/host/name",
    ] {
        *value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = evil.into();
    }
    let told = Story::of(serde_json::from_value(value).unwrap(), None).unwrap().text();
    assert!(!told.contains('\u{1b}') && told.contains("[2J"), "{told}");
    assert_eq!(told.matches("\nWho").count(), 1, "{told}");
}

#[test]
fn as_json_it_has_the_event_and_what_was_found() {
    let value: serde_json::Value = serde_json::from_str(&story(&fleet(), "web-2/3").json().unwrap()).unwrap();
    assert_eq!(value["event"]["seq"], 3);
    assert_eq!(value["other_end"]["host"]["name"], "api-1");
    assert_eq!(value["why"]["functions"], "__tcp_close()");
    assert_eq!(value["advice"]["general"], false);
    assert_eq!(value["course"][0]["at_ms"], -2.5);
}
