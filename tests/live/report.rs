//! What `report` makes, in a browser.

use std::fs;
use std::path::PathBuf;

use conn_observer_tests::browser::Browser;
use conn_observer_tests::feature::Feature::{Sources, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::run;
use serde_json::{Value, json};

use crate::suite::{Suite, add};

pub(crate) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "report",
        [Tool("chromium"), Tool("chromedriver"), Sources],
        [
            the_page_has_room_on_every_screen,
            filters_hide_rows_and_heads_sort_them,
            the_flame_graph_zooms_and_returns,
            names_of_strangers_are_only_text_and_no_network_is_asked,
        ]
    );
}

/// What a stranger may name things.
const EVIL: &str = "</title><script>evil=1</script><img src=//x.invalid/ onerror=evil=2>";

/// The fleet's events and some of a process that names itself ill, as a page.
fn page(folder: &Folder) -> PathBuf {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/events/fleet.ndjson");
    let mut lines = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let sample = lines.lines().find(|line| line.contains("\"close_unread\"")).expect("a close");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["process"]["comm"] = EVIL.into();
    event["network"]["peer"]["name"] = EVIL.into();
    event["cause"] = "linger_zero".into();
    event["stack"] = json!({"user": [
        {"symbol": EVIL, "file": EVIL, "line": 1},
        {"symbol": format!("long{}", "_name".repeat(200))},
        {"symbol": "main"},
    ]});
    for seq in 100..140 {
        event["seq"] = seq.into();
        event["tcp"]["unread_bytes"] = (seq * 37 % 1_000).into();
        lines.push_str(&format!("{event}\n"));
    }
    let events = folder.write("events.ndjson", &lines);
    let page = folder.path().join("incident.html");
    let outcome = run::observer_alone(&["report", events.to_str().expect("text"), "-o", page.to_str().expect("text")]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    page
}

fn the_page_has_room_on_every_screen() {
    let folder = Folder::new("report");
    let page = page(&folder);
    let browser = Browser::start();
    for (width, scheme) in [(380, "light"), (380, "dark"), (800, "light"), (1_280, "light"), (1_280, "dark")] {
        browser.resize(width, scheme);
        browser.open(&page);
        // Without the scroll bar, if there is one.
        let wide =
            browser.value("[document.documentElement.scrollWidth, document.documentElement.clientWidth, innerWidth]");
        assert_eq!((&wide[0], &wide[2]), (&wide[1], &json!(width)), "{width} {scheme}: {wide}");
        // Cards take the place of a table that would be too wide.
        let head = browser.value("getComputedStyle(document.querySelector('#finding-table tbody tr')).display");
        assert_eq!(head, if width > 760 { "table-row" } else { "block" }, "{width}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Rows that can be seen, and what is told of their number.
fn shown(browser: &Browser) -> (u64, String) {
    let rows = browser
        .value("[...document.querySelectorAll('#finding-table tbody tr')].filter(row => row.checkVisibility()).length");
    let told = browser.value("document.getElementById('shown').textContent");
    (rows.as_u64().expect("a number"), told.as_str().expect("text").to_owned())
}

fn filters_hide_rows_and_heads_sort_them() {
    let folder = Folder::new("report");
    let page = page(&folder);
    let browser = Browser::start();
    for width in [380, 1_280] {
        browser.resize(width, "light");
        browser.open(&page);
        let (all, _) = shown(&browser);
        assert!(all > 45, "{all}");

        browser.click(".chip[data-cause=linger_zero]");
        assert_eq!(shown(&browser), (41, format!("41 of {all} shown")), "one of the fleet, forty of ours");
        browser.enter("#filter", "HEALTHCHECK");
        assert_eq!(shown(&browser), (1, format!("1 of {all} shown")));
        browser.click(".chip[data-cause=linger_zero]");
        browser.enter("#filter", " nothing-of-the-kind");
        assert_eq!(shown(&browser), (0, format!("0 of {all} shown")));
        browser.value("(filter => { filter.value = ''; filter.dispatchEvent(new Event('input')) })(document.getElementById('filter'))");
        assert_eq!(shown(&browser).0, all);

        let column =
            "[...document.querySelectorAll('#finding-table tbody tr')].map(row => Number(row.cells[5].dataset.v))";
        let mut sorted: Vec<i64> = serde_json::from_value(browser.value(column)).expect("numbers");
        sorted.sort_unstable();
        for (turn, order) in [(1, "ascending"), (2, "descending")] {
            browser.click("#finding-table th:nth-child(6) button");
            assert_eq!(browser.value(column), json!(sorted), "click {turn}");
            let told = browser.value("document.querySelector('#finding-table th:nth-child(6)').ariaSort");
            assert_eq!(told, order);
            sorted.reverse();
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn the_flame_graph_zooms_and_returns() {
    let folder = Folder::new("report");
    let page = page(&folder);
    let browser = Browser::start();
    browser.resize(1_280, "light");
    browser.open(&page);
    let functions = "[...document.querySelectorAll('.f')].filter(frame => frame.checkVisibility()).length";
    let all = browser.value(functions);
    let at = browser
        .value("[...document.querySelectorAll('.f')].findIndex(frame => parseFloat(frame.getAttribute('width')) < 90)");
    browser.click(&format!("#flame > .f:nth-of-type({}) > rect", at.as_u64().expect("a narrow one") + 1));
    assert!(browser.value(functions).as_u64() < all.as_u64(), "others are gone");
    let told = browser.value("document.getElementById('frame').textContent");
    assert!(told.as_str().is_some_and(|told| told.contains('%')), "{told}");
    browser.click("#unzoom");
    assert_eq!(browser.value(functions), all);
}

fn names_of_strangers_are_only_text_and_no_network_is_asked() {
    let folder = Folder::new("report");
    let page = page(&folder);
    let browser = Browser::start();
    browser.resize(1_280, "light");
    browser.open(&page);
    assert_eq!(browser.value("typeof evil"), "undefined");
    assert_eq!(browser.value("[document.scripts.length, document.images.length, frames.length]"), json!([1, 0, 0]));
    let named = browser.value("[...document.querySelectorAll('td, th, text')].some(one => one.textContent.includes('<script>evil=1</script>'))");
    assert_eq!(named, true, "it is there, as text");
    assert_eq!(browser.requests(&page), [format!("file://{}", page.display())]);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
