use std::{fs, path::Path};

use super::*;
use crate::{
    clock,
    event::{Body, Event, Host, Loss},
    fixture::Folder,
    options::{Compress, Size, Time},
};

fn settings(folder: &Folder) -> FileSink {
    let path = folder.join("events.ndjson").display().to_string();
    toml::from_str(&format!("path = {path:?}")).unwrap()
}

/// Contents of all files, the oldest first.
fn contents(folder: &Folder) -> Vec<String> {
    let mut names = folder.names();
    // The one without a suffix is the youngest.
    names.rotate_left(1);
    names.iter().map(|name| fs::read_to_string(folder.join(name)).unwrap()).collect()
}

fn event(seq: u64) -> Event {
    let body = Body::Loss(Loss { place: "sink".to_owned(), sink: None, lost: seq, causes: vec![], total_lost: seq });
    let host = Host { name: "h".into() };
    Event { schema: "s".into(), seq, time: clock::Time::of(0), message: None, host, body }
}

fn delivery(seqs: std::ops::Range<u64>) -> Delivery {
    Delivery::new(seqs.map(event).collect())
}

/// Bytes of the lines of one digit.
fn line_bytes() -> u64 {
    delivery(0..1).json().bytes() as u64
}

fn seqs(text: &str) -> Vec<u64> {
    let seq = |line: &str| serde_json::from_str::<Event>(line).unwrap().seq;
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines");
    text.lines().map(seq).collect()
}

/// Begins, if it has not, and finishes, so that tidying is done.
fn finish(mut file: File) {
    file.begin();
    file.finish().unwrap();
}

#[test]
fn lines_are_appended_to_what_is_there() {
    let folder = Folder::new("append");
    for run in 0..2 {
        let mut file = File::open(&settings(&folder)).unwrap();
        file.deliver(&delivery(run * 3..run * 3 + 3), 0).unwrap();
        file.deliver(&delivery(0..9), 8).unwrap();
        finish(file);
    }
    assert_eq!(seqs(&contents(&folder)[0]), [0, 1, 2, 8, 3, 4, 5, 8]);
}

#[test]
fn a_file_is_rotated_before_it_grows_too_large() {
    let folder = Folder::new("size");
    let settings = FileSink { max_size: Size(line_bytes() * 4), ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(0..3), 0).unwrap();
    file.deliver(&delivery(3..10), 0).unwrap();
    finish(file);
    let contents: Vec<_> = contents(&folder).iter().map(|text| seqs(text)).collect();
    assert_eq!(contents, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
}

#[test]
fn a_line_that_is_longer_than_a_file_may_be_goes_alone() {
    let folder = Folder::new("long");
    let settings = FileSink { max_size: Size(10), ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(0..3), 0).unwrap();
    finish(file);
    let contents: Vec<_> = contents(&folder).iter().map(|text| seqs(text)).collect();
    assert_eq!(contents, [[0], [1], [2]]);
}

#[test]
fn an_old_file_is_rotated_also_when_nothing_happens() {
    let folder = Folder::new("age");
    let settings = FileSink { max_age: Some(Time(Duration::ZERO)), ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.idle().unwrap();
    assert_eq!(folder.names().len(), 1, "an empty file is never too old");
    file.deliver(&delivery(0..1), 0).unwrap();
    file.idle().unwrap();
    assert_eq!(contents(&folder).iter().map(|text| seqs(text)).collect::<Vec<_>>(), [vec![0], vec![]]);
    finish(file);
}

#[test]
fn the_oldest_go_first_and_the_files_of_others_stay() {
    let folder = Folder::new("keep");
    let others = ["events.ndjson.bak", "events.ndjson.20260101T000000", "other.20260101T000000.000Z"];
    for other in others {
        fs::write(folder.join(other), "not ours").unwrap();
    }
    let settings = FileSink { max_size: Size(line_bytes()), keep: 2, ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(0..6), 0).unwrap();
    // The last rotation may have found the thread of an earlier one at work.
    finish(file);
    finish(File::open(&settings).unwrap());
    for other in others {
        fs::remove_file(folder.join(other)).expect("it is still there");
    }
    let contents: Vec<_> = contents(&folder).iter().map(|text| seqs(text)).collect();
    assert_eq!(contents, [[3], [4], [5]]);
}

#[test]
fn the_oldest_go_first_also_when_the_clock_was_put_back() {
    let folder = Folder::new("step");
    for (stamp, seq) in [("20990101T000000.000Z", 0), ("20990101T000000.001Z.zst", 1)] {
        fs::write(folder.join(format!("events.ndjson.{stamp}")), delivery(seq..seq + 1).json().from(0)).unwrap();
    }
    let settings = FileSink { max_size: Size(line_bytes()), keep: 3, ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(2..5), 0).unwrap();
    finish(file);
    finish(File::open(&settings).unwrap());
    let contents: Vec<_> = contents(&folder).iter().map(|text| seqs(text)).collect();
    assert_eq!(contents, [[1], [2], [3], [4]]);
}

#[test]
fn all_files_together_stay_within_their_total() {
    let folder = Folder::new("total");
    let total = Some(Size(line_bytes() * 3));
    let settings = FileSink { max_size: Size(line_bytes()), max_total: total, ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(0..8), 0).unwrap();
    finish(file);
    finish(File::open(&settings).unwrap());
    let contents: Vec<_> = contents(&folder).iter().map(|text| seqs(text)).collect();
    assert_eq!(contents, [[5], [6], [7]]);
}

#[test]
fn rotated_files_are_compressed_and_nothing_else_is_left() {
    let folder = Folder::new("compress");
    fs::write(folder.join("events.ndjson.20260101T000000.000Z.zst.unfinished"), "killed").unwrap();
    let settings = FileSink { max_size: Size(line_bytes() * 2), compress: Compress::Zstd, ..settings(&folder) };
    let mut file = File::open(&settings).unwrap();
    file.deliver(&delivery(0..5), 0).unwrap();
    finish(file);
    finish(File::open(&settings).unwrap());
    let names = folder.names();
    assert_eq!(names.iter().filter(|name| name.ends_with(".zst")).count(), 2, "{names:?}");
    assert_eq!(names.len(), 3, "{names:?}");
    let first = zstd::decode_all(fs::File::open(folder.join(&names[1])).unwrap()).unwrap();
    assert_eq!(seqs(&String::from_utf8(first).unwrap()), [0, 1]);
}

#[test]
fn an_unfinished_line_is_cut_off() {
    let folder = Folder::new("torn");
    let path = settings(&folder).path;
    let whole = String::from_utf8(delivery(0..2).json().from(0).to_vec()).unwrap();
    for torn in ["", "{\"schema\":", &"x".repeat(200_000)] {
        fs::write(&path, format!("{whole}{torn}")).unwrap();
        let mut file = File::open(&settings(&folder)).unwrap();
        file.deliver(&delivery(2..3), 0).unwrap();
        finish(file);
        assert_eq!(seqs(&contents(&folder)[0]), [0, 1, 2], "behind {} bytes", torn.len());
    }
    fs::write(&path, "no line at all").unwrap();
    finish(File::open(&settings(&folder)).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_file_that_was_moved_away_is_made_again() {
    let folder = Folder::new("moved");
    let path = settings(&folder).path;
    let mut file = File::open(&settings(&folder)).unwrap();
    file.deliver(&delivery(0..1), 0).unwrap();
    fs::rename(&path, path.with_extension("1")).unwrap();
    file.reopen().unwrap();
    file.deliver(&delivery(1..2), 0).unwrap();
    fs::remove_file(&path).unwrap();
    file.idle().unwrap();
    file.deliver(&delivery(2..3), 0).unwrap();
    assert_eq!(seqs(&fs::read_to_string(&path).unwrap()), [2]);
    assert_eq!(seqs(&fs::read_to_string(path.with_extension("1")).unwrap()), [0]);
}

#[test]
fn a_file_belongs_to_one_observer_and_is_a_file() {
    let folder = Folder::new("refused");
    let file = File::open(&settings(&folder)).unwrap();
    let refused = |path: &Path| {
        let settings = FileSink { path: path.to_owned(), ..settings(&folder) };
        format!("{:#}", File::open(&settings).err().expect("refused"))
    };
    assert!(refused(&settings(&folder).path).contains("locked by another process"));
    finish(file);
    assert!(refused(Path::new("/dev/null")).contains("not a regular file"));
    assert!(refused(&folder.join("missing/events")).contains("check the folder"));
}
