use super::*;

fn printed(format: Format, width: Option<usize>, names: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, format, width, names.iter().copied()).unwrap();
    rows.iter().for_each(|row| printer.row(row).unwrap());
    printer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[test]
fn a_table_is_aligned_with_numbers_to_the_right() {
    let rows = [
        vec![text("shop"), Cell::Count(1_234_567), Cell::Time(1_700_000_000_123_456_789), Cell::Change(-1_000)],
        vec![Cell::Unknown, Cell::Count(3), Cell::Around(1_700_000_040_000_000_000), Cell::Change(5)],
    ];
    assert_eq!(
        printed(Format::Table, None, &["process", "events", "first", "more"], &rows),
        "process     events  first                       more\n\
         shop     1,234,567  2023-11-14T22:13:20.123Z  -1,000\n\
         -                3  2023-11-14T22:14:00Z          +5\n"
    );
}

#[test]
fn a_table_without_rows_is_its_heads() {
    assert_eq!(printed(Format::Table, None, &["a", "b"], &[]), "a  b\n");
    assert_eq!(printed(Format::Csv, None, &["a", "b"], &[]), "a,b\n");
    assert_eq!(printed(Format::Json, None, &["a", "b"], &[]), "");
}

#[test]
fn on_a_screen_the_widest_columns_give_way() {
    let rows = [vec![text(&"x".repeat(50)), text("short"), text(&"y".repeat(50))]];
    let narrow = printed(Format::Table, Some(40), &["a", "b", "c"], &rows);
    assert_eq!(narrow.lines().nth(1).unwrap(), format!("{}…  short  {}…", "x".repeat(15), "y".repeat(14)));
    let rows = [vec![text(&"x".repeat(50)), Cell::Count(1_234_567_890), Cell::Time(0)]];
    let narrow = printed(Format::Table, Some(40), &["a", "b", "c"], &rows);
    assert!(narrow.contains("…  1,234,567,890  1970-01-01T"), "numbers stay whole: {narrow}");
    let tiny = printed(Format::Table, Some(12), &["a", "b", "c"], &rows);
    assert!(tiny.lines().all(|line| line.chars().count() <= 12), "{tiny}");
    assert!(printed(Format::Table, None, &["a", "b", "c"], &rows).contains(&"x".repeat(50)), "in a file all is there");
}

#[test]
fn what_a_terminal_would_obey_is_not_written_into_a_table() {
    let table = printed(Format::Table, None, &["a"], &[vec![text("\u{1b}[2Jx\ny")]]);
    assert_eq!(table, "a\n\u{fffd}[2Jx\u{fffd}y\n");
}

#[test]
fn more_rows_than_are_held_are_all_written() {
    let rows: Vec<Vec<Cell>> = (0..2_500).map(|number| vec![Cell::Integer(number)]).collect();
    let table = printed(Format::Table, None, &["n"], &rows);
    let numbers: Vec<i64> = table.lines().skip(1).map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(numbers, (0..2_500).collect::<Vec<i64>>());
}

#[test]
fn comma_separated_values_quote_what_needs_it() {
    let rows = [vec![text("a,b"), text("say \"no\""), text("two\nlines"), Cell::Unknown, Cell::Boolean(true)]];
    assert_eq!(
        printed(Format::Csv, None, &["a", "b", "c", "d", "e"], &rows),
        "a,b,c,d,e\n\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",,true\n"
    );
}

#[test]
fn an_object_has_all_columns_in_their_order() {
    let rows = [vec![Cell::Unknown, Cell::Count(7), Cell::Real(0.5), Cell::Time(0), Cell::Around(0), Cell::Around(1)]];
    assert_eq!(
        printed(Format::Json, None, &["z", "n", "a", "t", "m", "s"], &rows),
        "{\"z\":null,\"n\":7,\"a\":0.5,\"t\":\"1970-01-01T00:00:00.000000000Z\",\"m\":\"1970-01-01T00:00:00Z\",\
         \"s\":\"1970-01-01T00:00:00.000000001Z\"}\n"
    );
}
