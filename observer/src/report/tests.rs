use serde_json::{Value, json};

use super::*;
use crate::{
    clock,
    event::Event,
    fixture::{FLEET, fleet},
};

/// What a stranger may name things.
const EVIL: &str = "</script><script>alert('x')</script>\"'&{{script}}\u{202e}";

fn made(store: &Store, selection: &Selection) -> String {
    let origin = Origin { asked: "report <x>".to_owned(), now: 1_800_000_000_000_000_000, nonce: "n0".to_owned() };
    page(store, selection, &origin).unwrap()
}

fn close(seq: u64, second: u64, comm: &str, peer: &str) -> Value {
    json!({
        "schema": "conn-observer/1", "seq": seq, "time": clock::wall_text(1_700_000_000_000_000_000 + second as i64 * 1_000_000_000),
        "message": "", "host": {"name": "h1"}, "type": "close", "cause": "close_unread", "cause_source": "both",
        "severity": "harmful",
        "process": {"pid": 7, "tid": 7, "comm": comm, "thread": {"name": "t"}, "user": {"id": 0}, "attribution": "current"},
        "network": {"type": "ipv4", "transport": "tcp", "role": "client", "local": {"address": "10.0.0.1", "port": 40_000},
                    "peer": {"address": "10.0.0.2", "port": 443, "name": peer, "name_source": "dns"}},
        "tcp": {"unread_bytes": 1_000, "reset_sent": true},
        "stack": {"user": [{"symbol": "fetch", "file": "/src/fetch.c", "line": 7}, {"symbol": "main"}]}
    })
}

fn event(value: Value) -> Event {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_summary_says_who_did_what_to_whom_and_what_to_do() {
    let events: Vec<Event> =
        (0..4_000).map(|number| event(close(number, number / 10, "cache", "api.example"))).collect();
    let page = made(&Store::holding(&events), &Selection::default());
    for part in [
        "Between 2023-11-14 22:13 and 22:20 UTC, 4,000 findings on host h1: cache closed 4,000 connections to \
         api.example:443 with unread bytes (4.0 MB unread).",
        "at <code>fetch (fetch.c:7)</code>. What to do: Read to the end of what the peer sends",
        "The latest 2,000; 2,000 earlier ones are left out of this table.",
        "RFC 1122 §4.2.2.13",
    ] {
        assert!(page.contains(part), "{part} is not in {}", page.split("<main>").next().unwrap());
    }
    assert_eq!(page.matches("<tr data-cause=").count(), 2_000);
}

#[test]
fn the_summary_speaks_of_what_is_bad_before_what_is_frequent() {
    let mut events: Vec<Event> = (0..3).map(|number| event(close(number, 0, "bad", "api.example"))).collect();
    events.extend((0..50).map(|number| {
        let mut harmless = close(number + 3, 0, "scanned", "far.example");
        harmless["severity"] = "benign".into();
        event(harmless)
    }));
    let page = made(&Store::holding(&events), &Selection::default());
    let text = "53 findings on host h1: bad closed 3 connections to api.example:443 with unread bytes (3,000 bytes \
                unread); and scanned closed 50 connections";
    assert!(page.contains(text), "{}", page.split("<main>").next().unwrap());
}

#[test]
fn a_filter_that_the_counts_do_not_know_gives_the_same_page() {
    let events: Vec<Event> = (0..300)
        .map(|number| event(close(number, number, if number % 3 == 0 { "cache" } else { "other" }, "api.example")))
        .collect();
    let store = Store::holding(&events);
    let since = Some(1_700_000_000_000_000_000 + 90_000_000_000);
    let by_field = vec![(crate::store::Field::Process, vec!["cache".to_owned()])];
    let counted = Selection { since, fields: by_field, ..Selection::default() };
    let passed = Selection { since, comms: vec!["cache".to_owned()], ..Selection::default() };
    // Counts of the one may not remain for the other.
    let pages = [made(&store, &counted), made(&store, &passed), made(&store, &passed), made(&store, &counted)];
    assert!(
        pages[0].contains("70 findings on host h1: cache closed 70 connections to api.example:443"),
        "{}",
        pages[0]
    );
    assert!(pages.iter().all(|page| *page == pages[0]));
}

#[test]
fn a_selection_without_findings_is_a_page_that_says_so() {
    let selection = Selection { since: Some(0), until: Some(60_000_000_000), ..Selection::default() };
    let page = made(&Store::holding(&fleet()), &selection);
    assert!(page.contains("Between 1970-01-01 00:00 and 00:01 UTC there was no finding."), "{page}");
    assert!(page.contains("No single finding of this time is recorded."));
    made(&Store::holding(&[]), &Selection::default());
}

#[test]
fn nothing_that_strangers_have_named_is_markup() {
    let mut values = close(0, 0, EVIL, EVIL);
    for pointer in ["/process/thread/name", "/stack/user/0/symbol", "/stack/user/0/file", "/host/name"] {
        *values.pointer_mut(pointer).unwrap() = EVIL.into();
    }
    values["hint"] = json!({"advice": EVIL, "reference": EVIL});
    values["message"] = EVIL.into();
    let mut started: Value = serde_json::from_str(FLEET.lines().next().unwrap()).unwrap();
    started["filters"] = json!({"comm": [EVIL]});
    started["hooks"]["coverage"] = json!([{"what": EVIL, "limit": EVIL}]);
    started["time"] = values["time"].clone();
    started["host"]["name"] = EVIL.into();
    let mut loss = json!({"where": EVIL, "lost": 1, "total_lost": 1, "type": "loss", "sink": EVIL});
    for field in ["schema", "seq", "time", "message", "host"] {
        loss[field] = values[field].clone();
    }
    let page = made(&Store::holding(&[event(started), event(values), event(loss)]), &Selection::default());
    assert!(page.matches("&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)").count() > 10, "it is there, as text");
    assert_eq!(page.matches("<script").count(), 1, "ours");
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains('\u{202e}') && !page.contains("alert('x')"));
    assert_eq!(page.matches("'use strict'").count(), 1, "what is filled in is no template");
}

#[test]
fn nothing_on_the_page_comes_from_elsewhere() {
    let page = made(&Store::holding(&fleet()), &Selection::default());
    assert!(page.contains("default-src 'none'; style-src 'nonce-n0'; script-src 'nonce-n0'"));
    for outward in ["http://", "https://", "src=", "@import", "url(", "style=\"", "onclick"] {
        assert!(!page.contains(outward), "{outward}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let page = made(&Store::holding(&fleet()), &Selection::default());
    let told = page.split("id=\"trust\"").nth(1).unwrap();
    assert!(told.contains("On host web-1 ") && told.contains("had no room in"), "{told}");
    assert!(told.contains("has no end here"), "{told}");
    assert!(page.contains("href=\"#trust\""));
}

#[test]
fn connections_that_come_and_go_are_told_once_a_pair() {
    let page = made(&Store::holding(&fleet()), &Selection::default());
    let told = page.split("id=\"churn\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(told.matches("<li>").count(), 1, "{told}");
    assert!(told.contains("on host web-1 (the latest of 2 such windows)"), "{told}");
}

#[test]
fn every_label_of_a_card_is_that_of_its_column() {
    // On a narrow screen the style sheet names the columns.
    let page = made(&Store::holding(&fleet()), &Selection::default());
    for table in ["pair-table", "finding-table"] {
        let head = page.split(&format!("id=\"{table}\"")).nth(1).unwrap().split("</thead>").next().unwrap();
        for number in 1..=head.matches("<th ").count() {
            let cell = if table == "pair-table" && number == 1 {
                format!("#{table} th::before")
            } else {
                format!("#{table} td:nth-child({number})::before")
            };
            let rule = STYLE.split(&cell).nth(1).unwrap_or_else(|| panic!("{cell} has no rule"));
            let label = rule.split('"').nth(1).unwrap();
            let column = head.split("<th ").nth(number).unwrap();
            assert!(column.contains(label), "{cell}: {label} is not in {column}");
        }
    }
}

#[test]
fn every_colour_can_be_read_against_its_ground() {
    for (scheme, text) in
        [("light", STYLE.split("@media").next().unwrap()), ("dark", STYLE.split("@media").nth(1).unwrap())]
    {
        let value =
            |name: &str| luminance(text.split(&format!("--{name}: #")).nth(1).unwrap().split(';').next().unwrap());
        let ratio = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        for ground in ["back", "card"] {
            for name in ["text", "soft", "link", "harmful", "suspect", "benign"] {
                let ratio = ratio(value(name), value(ground));
                assert!(ratio >= 4.5, "{name} on {ground}, {scheme}: {ratio}");
            }
        }
        for name in ["u0", "u1", "u2", "u3", "k", "p"] {
            let ratio = ratio(value("f"), value(name));
            assert!(ratio >= 4.5, "functions on {name}, {scheme}: {ratio}");
        }
        for number in 0..=incident::COLOURS {
            let ratio = ratio(value(&format!("c{number}")), value("back"));
            assert!(ratio >= 3.0, "bars of colour {number}, {scheme}: {ratio}");
        }
    }
}

/// Relative luminance as WCAG 2 defines it.
fn luminance(hex: &str) -> f64 {
    let long: String =
        if hex.len() == 3 { hex.chars().flat_map(|digit| [digit, digit]).collect() } else { hex.to_owned() };
    let linear = |from: usize| {
        let part = f64::from(u8::from_str_radix(&long[from..from + 2], 16).unwrap()) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(0) + 0.7152 * linear(2) + 0.0722 * linear(4)
}
