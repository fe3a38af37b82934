use super::*;
use crate::{
    clock::Time,
    event::Event,
    fixture::{FLEET, Folder},
};

/// Some time.
const BEGIN: i64 = 1_700_000_000_000_000_000;

/// A close so many milliseconds behind the first one.
fn at(milliseconds: i64, seq: u64) -> Event {
    let mut event: Event = serde_json::from_str(FLEET.lines().nth(3).unwrap()).unwrap();
    event.time = Time::of(BEGIN + milliseconds * 1_000_000);
    event.seq = seq;
    event
}

/// When each event is handed out, in milliseconds, on a clock that only waiting moves.
fn handed_out(events: Vec<Event>, speed: Speed) -> Vec<(u128, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (sender, receiver) = mpsc::channel(AHEAD);
        for event in events {
            sender.try_send(event).unwrap();
        }
        drop(sender);
        let begin = time::Instant::now();
        let mut pacer = Pacer::new(receiver, speed);
        let mut seen = Vec::new();
        while let Some(events) = pacer.next().await {
            let now = begin.elapsed().as_millis();
            seen.extend(events.into_iter().map(|event| (now, event.seq)));
        }
        seen
    })
}

#[test]
fn events_come_at_their_own_pace() {
    let events = vec![at(0, 0), at(0, 1), at(1_500, 2), at(61_500, 3)];
    assert_eq!(handed_out(events, Speed::Times(1.0)), [(0, 0), (0, 1), (1_500, 2), (61_500, 3)]);
}

#[test]
fn events_come_so_many_times_as_fast() {
    let events = || vec![at(0, 0), at(1_000, 1), at(60_000, 2)];
    assert_eq!(handed_out(events(), Speed::Times(10.0)), [(0, 0), (100, 1), (6_000, 2)]);
    assert_eq!(handed_out(events(), Speed::Times(0.5)), [(0, 0), (2_000, 1), (120_000, 2)]);
}

#[test]
fn at_once_nothing_waits() {
    let events: Vec<Event> = (0..1_000).map(|one| at(i64::try_from(one).unwrap() * 3_600_000, one)).collect();
    let seen = handed_out(events, Speed::AtOnce);
    assert_eq!(seen, (0..1_000).map(|one| (0, one)).collect::<Vec<_>>());
}

#[test]
fn an_event_whose_time_goes_back_waits_for_nothing() {
    let events = vec![at(1_000, 0), at(500, 1), at(2_000, 3)];
    assert_eq!(handed_out(events, Speed::Times(1.0)), [(0, 0), (0, 1), (1_000, 3)]);
}

#[test]
fn a_sink_gets_everything_though_its_queue_is_small() {
    let folder = Folder::new("replay");
    let path = folder.join("events.ndjson");
    let events: Vec<Event> = (0..2_000).map(|one| at(i64::try_from(one).unwrap(), one)).collect();
    // Some five batches fit.
    let table = format!("[[file]]\npath = \"{}\"\nqueue = \"2MiB\"\n", path.display());
    let replay = Replay {
        selection: Selection { all_types: true, ..Selection::default() },
        speed: Speed::AtOnce,
        output: Destination::Nowhere,
        format: Format::Json,
        sinks: toml::from_str(&table).unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(Store::holding(&events), &replay)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let numbers: Vec<u64> = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().seq).collect();
    assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
}
