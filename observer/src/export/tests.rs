use std::fs;

use parquet::{
    basic::Compression,
    file::reader::{FileReader as _, SerializedFileReader},
    record::{Field, Row},
};

use super::{columnar::EVENT, *};
use crate::{
    columns::Kind,
    event::Event,
    fixture::{Folder, fleet},
};

fn store() -> Store {
    Store::holding(&fleet())
}

fn everything() -> Selection {
    Selection { all_types: true, ..Selection::default() }
}

fn events(store: &Store) -> Vec<Event> {
    let mut events = Vec::new();
    store
        .events(&everything(), |event| {
            events.push(event);
            Ok(true)
        })
        .unwrap();
    events
}

/// A value as the columns tell it.
fn value(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Unknown,
        Field::Str(text) => Cell::Text(text.clone()),
        Field::Long(number) => Cell::Integer(*number),
        Field::Double(number) => Cell::Real(*number),
        Field::Bool(flag) => Cell::Boolean(*flag),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parquet_has_every_column_with_its_type_and_the_whole_event() {
    let folder = Folder::new("parquet");
    let (store, path) = (store(), folder.join("events.parquet"));
    let expected = events(&store);
    assert_eq!(write_file(&store, &everything(), Format::Parquet, &path).unwrap(), expected.len() as u64);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let rows: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), expected.len());
    for (row, event) in rows.iter().zip(&expected) {
        let cells: Vec<(&String, Cell)> = row.get_column_iter().map(|(name, field)| (name, value(field))).collect();
        assert_eq!(cells.len(), COLUMNS.len() + 1);
        for (column, (name, cell)) in COLUMNS.iter().zip(&cells) {
            // The reader has no word for nanoseconds.
            let told = match column.value(event) {
                Cell::Time(time) => Cell::Integer(time),
                told => told,
            };
            assert_eq!((column.name, told), (name.as_str(), cell.clone()));
            if *cell == Cell::Unknown {
                continue;
            }
            let fits = matches!(
                (column.kind, cell),
                (Kind::Text, Cell::Text(_))
                    | (Kind::Integer | Kind::Time, Cell::Integer(_))
                    | (Kind::Real, Cell::Real(_))
                    | (Kind::Boolean, Cell::Boolean(_))
            );
            assert!(fits, "{}: {cell:?}", column.name);
        }
        let (name, Cell::Text(text)) = &cells[COLUMNS.len()] else { panic!("no text") };
        assert_eq!((name.as_str(), serde_json::from_str::<Event>(text).unwrap()), (EVENT, event.clone()));
    }
    assert_eq!(folder.names(), ["events.parquet"], "nothing is left beside it");
}

#[test]
fn large_files_have_many_row_groups_and_are_compressed() {
    let folder = Folder::new("groups");
    let path = folder.join("events.parquet");
    let events = events(&store());
    let mut out = File::create(&path).unwrap();
    let mut columnar = Columnar::begin(&mut out, 10).unwrap();
    events.iter().for_each(|event| columnar.event(event).unwrap());
    columnar.finish().unwrap();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
    let left = i64::try_from(events.len()).unwrap() - 20;
    assert_eq!(rows, [10, 10, left]);
    let whole = groups[0].columns().last().unwrap();
    assert!(matches!(whole.compression(), Compression::ZSTD(_)), "{:?}", whole.compression());
    assert!(whole.compressed_size() * 2 < whole.uncompressed_size());
}

#[test]
fn a_parquet_file_without_events_can_be_read() {
    let folder = Folder::new("empty");
    let path = folder.join("events.parquet");
    let none = Selection { pids: vec![1], ..everything() };
    assert_eq!(write_file(&store(), &none, Format::Parquet, &path).unwrap(), 0);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), COLUMNS.len() + 1);
}

#[test]
fn lines_come_back_as_they_were() {
    let folder = Folder::new("lines");
    let (store, path) = (store(), folder.join("events.ndjson"));
    write_file(&store, &everything(), Format::Ndjson, &path).unwrap();
    let again = crate::source::open(&[path]).unwrap();
    let sorted = |store: &Store| {
        let mut events = events(store);
        events.sort_by_key(|event| (event.time, event.host.name.clone(), event.seq));
        events
    };
    assert_eq!(sorted(&again), sorted(&store));
}

#[test]
fn comma_separated_values_have_the_same_columns() {
    let mut out = Vec::new();
    let count = write(&store(), &everything(), Format::Csv, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(text.lines().next().unwrap(), names.join(","));
    assert_eq!(text.lines().filter(|line| line.starts_with("2026-11-2")).count() as u64, count);
}

#[test]
fn a_file_is_there_whole_or_as_it_was() {
    let folder = Folder::new("whole");
    let path = folder.join("events.ndjson");
    fs::write(&path, "dear to somebody").unwrap();
    let store = store();
    // Something in the store that cannot be read.
    let broken = self::store();
    broken.connection().execute_batch("UPDATE stack SET detail = 'no JSON ' || id").unwrap();
    assert!(write_file(&broken, &everything(), Format::Ndjson, &path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear to somebody");
    write_file(&store, &everything(), Format::Ndjson, &path).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"schema\""));
    assert!(folder.names().iter().all(|name| !name.contains(".part-")), "{:?}", folder.names());
    let told = |path: &Path| format!("{:#}", write_file(&store, &everything(), Format::Csv, path).unwrap_err());
    assert!(told(folder.path()).contains("it is a folder"), "{}", told(folder.path()));
    assert!(told(&folder.join("none/x")).contains("No such file"), "{}", told(&folder.join("none/x")));
}
