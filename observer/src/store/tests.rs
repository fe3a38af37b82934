use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    cause::Cause,
    clock,
    event::Event,
    fixture::{Folder, fleet},
    severity::Severity,
};

/// A finding with every field that there is.
fn full(seq: u64, time: &str) -> Value {
    json!({
        "schema": "conn-observer/1", "seq": seq, "time": time, "message": "", "host": {"name": "node-7"},
        "type": "close", "cause": "close_unread", "cause_source": "both", "severity": "harmful",
        "process": {
            "pid": 4242, "tid": 4250, "comm": "api", "thread": {"name": "worker"}, "user": {"id": 33, "name": "www-data"},
            "start_time": "2026-11-24T08:46:24.436456419Z", "executable": {"path": "/usr/bin/api", "deleted": true},
            "command_args": ["api", "--port", "80"], "args_truncated": true, "parents": [{"pid": 1, "comm": "init"}],
            "interactive": false, "runtime": {"name": "go", "version": "1.26"}, "exiting": true, "attribution": "current"
        },
        "owner": {"pid": 7, "tid": 7, "comm": "owner", "thread": {"name": "o"}, "user": {"id": 0}, "attribution": "owner"},
        "counterpart": {"pid": 9, "tid": 9, "comm": "peer", "thread": {"name": "p"}, "user": {"id": 0}, "attribution": "closer"},
        "cgroup": {"id": 12, "path": "/a"}, "container": {"id": "c1", "runtime": "docker"},
        "systemd": {"unit": "api.service", "user_unit": "u.service", "slice": "system.slice", "user_id": 33},
        "k8s": {"pod_uid": "p-1", "qos_class": "burstable"},
        "network": {
            "type": "ipv6", "transport": "tcp", "role": "server", "local": {"address": "fd00::1", "port": 80},
            "peer": {"address": "fd00::2", "port": 4711, "name": "client.example", "name_source": "dns"},
            "namespace": 4_026_531_840_u32, "host_namespace": true
        },
        "tcp": {
            "state": "ESTABLISHED", "unread_bytes": 3945, "unacked_bytes": 1, "unsent_bytes": 2, "segment_bytes": 3,
            "received_bytes": 8041, "sent_bytes": 35, "srtt_us": 27, "duration_ms": 2.595, "closed_ms_ago": 0.125,
            "fin_received": false, "reset_sent": true, "reset_id": "3f9dc626af97d930", "kernel_reason": "TCP_ABORT_ON_CLOSE",
            "disagreement": true
        },
        "listener": {"unaccepted": 3},
        "stack": {"user": [{"address": "0x1", "symbol": "close", "offset": "0x2", "module": "libc.so.6"},
                           {"address": "0x3", "symbol": "check", "file": "/src/api.go", "line": 53, "inlined": true}],
                  "kernel": [{"symbol": "tcp_close"}]},
        "hint": {"advice": "read it", "reference": "the manual"}
    })
}

/// The event of a value, with the sentence that it has.
fn event(value: Value) -> Event {
    Event { message: None, ..serde_json::from_value(value).unwrap() }
}

/// A close by a process, so many seconds after an hour.
fn close(seq: u64, second: f64, comm: &str, cause: &str, unread: u64) -> Event {
    let time = clock::wall_text(1_700_000_000_000_000_000 + (second * 1e9) as i64);
    let mut value = full(seq, &time);
    value["process"]["comm"] = comm.into();
    value["cause"] = cause.into();
    value["tcp"]["unread_bytes"] = unread.into();
    event(value)
}

fn all(store: &Store, selection: &Selection) -> Vec<Event> {
    let mut found = Vec::new();
    store
        .events(selection, |event| {
            found.push(event);
            Ok(true)
        })
        .unwrap();
    found
}

fn everything() -> Selection {
    Selection { all_types: true, ..Selection::default() }
}

#[test]
fn what_was_written_is_read_again() {
    let mut bare = full(1, "2026-11-24T08:46:25.029397245Z");
    let optional = ["process", "owner", "counterpart", "cgroup", "container", "systemd", "k8s", "network", "listener"];
    for name in optional.iter().chain(&["stack", "hint"]) {
        bare.as_object_mut().unwrap().remove(*name);
    }
    bare["type"] = "reset_sent".into();
    bare["tcp"] = json!({"reset_sent": true});
    let events = vec![event(full(0, "2026-11-24T08:46:25.029397244Z")), event(bare)];
    assert_eq!(all(&Store::holding(&events), &everything()), events);
    let mut events = fleet();
    for event in &mut events {
        if event.body.finding().is_some() {
            event.message = None;
        }
    }
    let mut found = all(&Store::holding(&events), &everything());
    let order = |event: &Event| (event.time, event.host.name.clone(), event.seq);
    events.sort_by_key(order);
    found.sort_by_key(order);
    assert_eq!(found, events);
}

#[test]
fn it_stays_in_the_file_and_is_read_while_it_is_written() {
    let folder = Folder::new("file");
    let path = folder.join("events.db");
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    recorder.append(&[close(0, 0.0, "a", "close_unread", 1)]).unwrap();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.count(&Selection::default()).unwrap(), 1);
    recorder.append(&[close(1, 1.0, "a", "close_unread", 1)]).unwrap();
    assert_eq!(store.count(&Selection::default()).unwrap(), 2);
    let told = format!("{:#}", Recorder::open(&path, Limits::default()).err().unwrap());
    assert!(told.contains("somebody else records into"), "{told}");
    recorder.finish().unwrap();
    drop(recorder);
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    recorder.append(&[close(2, 2.0, "a", "close_unread", 1)]).unwrap();
    assert_eq!(all(&store, &Selection::default()).len(), 3);
}

#[test]
fn groups_are_counted_alike_from_minutes_and_from_single_events() {
    let mut events = Vec::new();
    for number in 0..600_u64 {
        let cause = if number % 3 == 0 { "linger_zero" } else { "close_unread" };
        events.push(close(number, number as f64 * 0.7, if number % 2 == 0 { "a" } else { "b" }, cause, number));
    }
    let store = Store::holding(&events);
    let begin = 1_700_000_000_000_000_000;
    let times = [
        (None, None),
        (Some(begin), Some(begin + 420_000_000_000)),
        (Some(begin + 33_000_000_001), Some(begin + 250_500_000_000)),
        (Some(begin + 21_000_000_000), Some(begin + 22_000_000_000)), // within one minute
        (Some(begin + 39_900_000_000), Some(begin + 40_100_000_000)), // across the beginning of one
        (Some(begin + 70_000_000_000), None),
        (None, Some(begin + 70_000_000_000)),
    ];
    for (since, until) in times {
        let tallied = Selection::default().within(since, until);
        // The namespace is no field of the counts by the minute.
        let single = Selection { netns: vec![4_026_531_840], ..tallied.clone() };
        let fields = [Field::Process, Field::Cause, Field::Peer, Field::Port, Field::Stack];
        let counts = |selection: &Selection| {
            let mut groups = store.groups(selection, &fields).unwrap();
            groups.sort_by(|a, b| a.values.cmp(&b.values));
            groups.into_iter().map(|group| (group.values, group.events, group.unread_bytes)).collect::<Vec<_>>()
        };
        let expected = events.iter().filter(|event| {
            let time = event.time.unix_ns();
            since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
        });
        assert_eq!(store.count(&tallied).unwrap(), expected.count() as u64, "{since:?} {until:?}");
        let expected = counts(&tallied);
        assert_eq!(expected, counts(&single), "{since:?} {until:?}");
        let by_time = |by: Field| {
            let mut groups = store.groups(&tallied, &[by, Field::Cause]).unwrap();
            groups.sort_by(|a, b| a.values.cmp(&b.values));
            groups
        };
        let minutes = [by_time(Field::Minute), by_time(Field::Hour)];
        store.sum(&tallied).unwrap();
        assert_eq!(expected, counts(&tallied), "summed, {since:?} {until:?}");
        assert_eq!(minutes, [by_time(Field::Minute), by_time(Field::Hour)], "summed, {since:?} {until:?}");
        let none = Selection { fields: vec![(Field::Process, vec!["none".to_owned()])], ..tallied.clone() };
        assert_eq!(store.groups(&none, &[Field::Minute]).unwrap(), []);
        assert_eq!(counts(&none), []);
    }
    let group = &store.groups(&Selection::default(), &[Field::Process, Field::Stack, Field::Port]).unwrap()[0];
    let known = |text: &str| Some(text.to_owned());
    assert_eq!(group.values, [known("a"), known("check (api.go:53)"), known("80")]);
}

#[test]
fn every_field_selects_and_groups() {
    let store = Store::holding(&[close(0, 0.0, "a", "close_unread", 5)]);
    for field in Field::ALL {
        let group = &store.groups(&Selection::default(), &[field]).unwrap()[0];
        let value = group.values[0].clone().unwrap_or_else(|| panic!("{} is not known", field.name()));
        let with = |value: String| Selection { fields: vec![(field, vec![value])], ..Selection::default() };
        assert_eq!(all(&store, &with(value.clone())).len(), 1, "{} is {value}", field.name());
        assert_eq!(store.count(&with(value)).unwrap(), 1, "{}", field.name());
        assert_eq!(all(&store, &with("other".to_owned())).len(), 0, "{}", field.name());
        assert_eq!(store.count(&with("other".to_owned())).unwrap(), 0, "{}", field.name());
    }
}

#[test]
fn filters_select_as_they_do_live() {
    let store = Store::holding(&[close(0, 0.0, "a", "close_unread", 5), close(1, 1.0, "b", "linger_zero", 0)]);
    let count = |selection: &Selection| {
        let count = all(&store, selection).len();
        assert_eq!(store.count(selection).unwrap(), count as u64, "{selection:?}");
        count
    };
    let any = Selection::default;
    assert_eq!(count(&any()), 2);
    assert_eq!(count(&Selection { causes: vec![Cause::LingerZero], ..any() }), 1);
    assert_eq!(count(&Selection { comms: vec!["b".to_owned()], ..any() }), 1);
    assert_eq!(count(&Selection { comms: vec!["worker".to_owned()], ..any() }), 2, "of the thread");
    assert_eq!(count(&Selection { pids: vec![4_242], ..any() }), 2);
    assert_eq!(count(&Selection { pids: vec![1], ..any() }), 0);
    assert_eq!(count(&Selection { uids: vec![33], ..any() }), 2);
    assert_eq!(count(&Selection { uids: vec![0], ..any() }), 0);
    assert_eq!(count(&Selection { ports: vec![4_711], ..any() }), 2);
    assert_eq!(count(&Selection { ports: vec![80, 1], ..any() }), 2);
    assert_eq!(count(&Selection { ports: vec![1], ..any() }), 0);
    assert_eq!(count(&Selection { peers: vec!["fd00::/64".parse().unwrap()], ..any() }), 2);
    assert_eq!(count(&Selection { peers: vec!["10.0.0.0/8".parse().unwrap()], ..any() }), 0);
    assert_eq!(count(&Selection { min_unread: 5, ..any() }), 1);
    assert_eq!(count(&Selection { severity: Severity::Harmful, ..any() }), 2);
    assert_eq!(count(&Selection { types: vec!["reset_sent".to_owned()], ..any() }), 0);
}

#[test]
fn the_oldest_go_first_and_counts_stay_exact() {
    let folder = Folder::new("limit");
    let limits = Limits { max_size: Some(1 << 20), max_age: None };
    let mut recorder = Recorder::open(&folder.join("events.db"), limits).unwrap();
    for batch in 0..15_u64 {
        let events = (0..1_000).map(|one| {
            let seq = batch * 1_000 + one;
            close(seq, seq as f64 * 0.01, "a", "close_unread", 1)
        });
        recorder.append(&events.collect::<Vec<_>>()).unwrap();
        recorder.tidy().unwrap();
    }
    while recorder.tidy().unwrap() {}
    let store = Store::open(&folder.join("events.db")).unwrap();
    assert!(limit::used(store.connection()).unwrap() <= 1 << 20);
    let left = all(&store, &Selection::default());
    assert!((100..12_000).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().unwrap().seq, 14_999, "the latest is there");
    assert_eq!(left[0].seq, 15_000 - left.len() as u64, "and all from the first one on");
    assert_eq!(store.count(&Selection::default()).unwrap(), 15_000, "those that are gone are counted");
    let file = fs::metadata(folder.join("events.db")).unwrap().len();
    assert!(file < 3 << 20, "{file}");
}

#[test]
fn old_events_go_with_what_only_they_meant() {
    let folder = Folder::new("age");
    let hour = 3_600_000_000_000;
    let mut recorder =
        Recorder::open(&folder.join("events.db"), Limits { max_size: None, max_age: Some(hour) }).unwrap();
    let ago = |hours: f64| {
        let now = clock::present();
        (now - (hours * hour as f64) as i64 - 1_700_000_000_000_000_000) as f64 / 1e9
    };
    let old: Vec<Event> = (0..10).map(|seq| close(seq, ago(5.0), &format!("old{seq}"), "close_unread", 1)).collect();
    recorder.append(&old).unwrap();
    recorder.append(&[close(10, ago(0.5), "young", "close_unread", 1)]).unwrap();
    while recorder.tidy().unwrap() {}
    // What was known before the removal must not be taken for granted.
    recorder.append(&[close(11, ago(0.4), "old3", "close_unread", 1)]).unwrap();
    let store = Store::open(&folder.join("events.db")).unwrap();
    let names: Vec<_> = all(&store, &everything())
        .iter()
        .map(|event| event.body.finding().unwrap().process.as_ref().unwrap().comm.clone())
        .collect();
    assert_eq!(names, ["young", "old3"]);
    assert_eq!(store.count(&Selection::default()).unwrap(), 2);
    let processes: i64 =
        store.connection().query_row("SELECT count(*) FROM process WHERE pid = 4242", [], |row| row.get(0)).unwrap();
    assert_eq!(processes, 2);
}

#[test]
fn a_damaged_file_is_set_aside_and_never_removed() {
    let folder = Folder::new("damaged");
    let path = folder.join("events.db");
    fs::write(&path, b"this is no database, but it may be dear to somebody".repeat(100)).unwrap();
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    recorder.append(&[close(0, 0.0, "a", "close_unread", 1)]).unwrap();
    recorder.finish().unwrap();
    drop(recorder);
    let aside = |folder: &Folder| {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|name| name.to_string_lossy().contains(".damaged-")).collect::<Vec<_>>()
    };
    let first = aside(&folder);
    assert_eq!(first.len(), 1);
    assert!(fs::read(&first[0]).unwrap().starts_with(b"this is no database"));
    // Damaged in use: pages in the middle are overwritten.
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    let many: Vec<Event> = (0..2_000).map(|seq| close(seq, 1.0, &format!("p{seq}"), "close_unread", 1)).collect();
    recorder.append(&many).unwrap();
    recorder.finish().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0x5a; usize::try_from(length - 4_096).unwrap()]).unwrap();
    drop(recorder);
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    for seq in 0..20 {
        recorder.append(&[close(seq, 2.0, &format!("after{seq}"), "close_unread", 1)]).unwrap();
    }
    assert!(aside(&folder).len() >= 2);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.count(&Selection::default()).unwrap(), 20);
}

#[test]
fn a_session_that_was_killed_tells_what_is_missing() {
    let folder = Folder::new("killed");
    let path = folder.join("events.db");
    let mut recorder = Recorder::open(&path, Limits::default()).unwrap();
    recorder.append(&[close(0, 0.0, "a", "close_unread", 1), close(1, 0.1, "a", "close_unread", 1)]).unwrap();
    // What a kill between the mark and the commit leaves.
    recorder.mark(&close(7, 0.2, "a", "close_unread", 1));
    drop(recorder);
    drop(Recorder::open(&path, Limits::default()).unwrap());
    let store = Store::open(&path).unwrap();
    let missing = "SELECT missing FROM session";
    assert_eq!(store.connection().query_row(missing, [], |row| row.get::<_, i64>(0)).unwrap(), 6);
}

#[test]
fn what_is_no_store_of_ours_is_said() {
    let folder = Folder::new("foreign");
    let told = |result: Result<Store>| format!("{:#}", result.err().unwrap());
    assert!(told(Store::open(&folder.join("events.db"))).contains("No such file"));
    let foreign = rusqlite::Connection::open(folder.join("events.db")).unwrap();
    foreign.execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(told(Store::open(&folder.join("events.db"))).contains("a database of another program"));
    assert!(Recorder::open(&folder.join("events.db"), Limits::default()).is_err());
    let newer = folder.join("newer.db");
    drop(Recorder::open(&newer, Limits::default()).unwrap());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(told(Store::open(&newer)).contains("of version 99, and this program knows up to"));
}
