//! The screen: a head, the table, what is told of the selected row, and the keys.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line as Text, Span},
    widgets::{Block, Borders, Cell, Clear, Paragraph, Row as TableRow, Table, TableState, Wrap},
};

use super::{
    detail::Line,
    figures::BARS,
    input::Mode,
    model::{Model, Position},
    numbers::{amount, bars, moment, rate, span},
    tree::{Row, Sort},
};
use crate::{render::printable, severity::Severity};

/// Columns from which on the table has all of its own.
const WIDE: u16 = 60;

/// Columns that are left to the names at least.
const NAMES: u16 = 24;

/// Keys, and what they do.
const KEYS: [(&str, &str); 15] = [
    ("↑ ↓ PgUp PgDn", "select a row"),
    ("Enter", "show what is below it: process, peer, cause"),
    ("a", "show or hide that of all"),
    ("Space", "stop the time, go on"),
    ("← →", "a window earlier, later"),
    ("Shift ← → or < >", "ten windows"),
    ("Home End", "the first events; the last, and on with them"),
    ("+ -", "a shorter window, a longer one"),
    ("n m", "sort by the rate now, of the minute"),
    ("t u", "by all events, by unread bytes"),
    ("s p", "by severity, by name"),
    ("/", "filter: words, or FIELD=VALUE as cause=close_unread"),
    ("?", "this help"),
    ("q", "quit"),
    ("", "Any key goes back."),
];

/// Rows of the table that a screen of this size shows.
pub(super) fn page(area: Rect) -> usize {
    usize::from(parts(area)[1].height.saturating_sub(1))
}

/// Head, table, detail, and foot.
fn parts(area: Rect) -> [Rect; 4] {
    let detail = match area.height {
        0..10 => 0,
        10..20 => 4,
        height => height * 2 / 5,
    };
    Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(detail), Constraint::Length(1)])
        .areas(area)
}

/// Draws it all.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let [head, table, detail, foot] = parts(frame.area());
    frame.render_widget(Paragraph::new(heading(model, head.width)), head);
    rows(frame, model, table);
    told(frame, model, detail);
    frame.render_widget(Paragraph::new(footing(model)), foot);
    if model.mode == Mode::Help {
        help(frame);
    }
}

fn heading(model: &Model, width: u16) -> Vec<Text<'static>> {
    let position = match (model.position, model.live) {
        (Position::Follow, true) => "live".to_owned(),
        (Position::Follow, false) => "at the end".to_owned(),
        (Position::At(end), _) => model
            .span
            .filter(|(_, last)| *last > end)
            .map_or_else(|| "stopped".to_owned(), |(_, last)| format!("{} before the end", span(last - end))),
    };
    let time = moment(model.end);
    let first = if width < WIDE {
        vec![time.bold(), format!("  {position}").into()]
    } else {
        vec![
            time.bold(),
            format!("  {position}  window {}  ", span(model.window())).into(),
            printable(&model.name).dim(),
        ]
    };
    let sum = &model.sum;
    let (now, total, unread) = (rate(sum.now, 5), amount(sum.total), amount(sum.unread));
    let second = if width < WIDE {
        format!("{now}/s now, {total} in all, {unread} unread")
    } else {
        format!("{now}/s now, {}/s in a minute, {total} in all, {unread} bytes unread", rate(sum.minute, 60))
    };
    vec![Text::from(first), Text::from(second)]
}

fn rows(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let wide = area.width >= WIDE;
    // NOW, 1 MIN, TOTAL, UNREAD and WORST with what is between them.
    let left = area.width.saturating_sub(NAMES + 7 + 7 + 7 + 7 + 7 + 6);
    let bars = match left {
        _ if !wide => 0,
        30.. => BARS,
        15.. => BARS / 2,
        10.. => BARS / 3,
        _ => 0,
    };
    let mut widths = vec![Constraint::Min(14), Constraint::Length(if wide { 7 } else { 5 })];
    let mut heads = vec![(None, "PROCESS, PEER, CAUSE"), (Some(Sort::Now), "NOW/s")];
    if wide {
        widths.push(Constraint::Length(7));
        heads.push((Some(Sort::Minute), "1MIN/s"));
    }
    widths.extend([Constraint::Length(if wide { 7 } else { 6 }); 2]);
    heads.extend([(Some(Sort::Total), "TOTAL"), (Some(Sort::Unread), "UNREAD")]);
    widths.push(Constraint::Length(if wide { 7 } else { 1 }));
    heads.push((Some(Sort::Worst), if wide { "WORST" } else { "" }));
    if bars > 0 {
        widths.push(Constraint::Length(u16::try_from(bars).unwrap_or(0)));
        heads.push((None, "WINDOW"));
    }
    let head = heads.iter().enumerate().map(|(column, (sort, name))| {
        let sorted = *sort == Some(model.sort) || column == 0 && model.sort == Sort::Name;
        let style = if sorted { Style::new().add_modifier(Modifier::UNDERLINED) } else { Style::new() };
        let text = Text::styled(*name, style.bold());
        Cell::from(if is_number(column, wide) { text.right_aligned() } else { text })
    });
    let table = Table::new(model.rows.iter().map(|row| row_of(row, wide, bars)), widths)
        .header(TableRow::new(head))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected((!model.rows.is_empty()).then(|| model.selected()));
    frame.render_stateful_widget(table, area, &mut state);
    if model.rows.is_empty() && area.height > 1 {
        let below = Rect { y: area.y + 1, height: 1, ..area };
        frame.render_widget(Paragraph::new(nothing(model)).dim(), below);
    }
}

/// Whether the figures of this column stand to the right.
fn is_number(column: usize, wide: bool) -> bool {
    (1..if wide { 5 } else { 4 }).contains(&column)
}

fn nothing(model: &Model) -> String {
    match model.span {
        None => "nothing is recorded yet".to_owned(),
        Some((first, _)) if first >= model.end => "no findings so early".to_owned(),
        Some(_) if !model.filter.text().is_empty() => "no findings that the filter lets pass".to_owned(),
        Some(_) => "no findings".to_owned(),
    }
}

fn row_of(row: &Row, wide: bool, width: usize) -> TableRow<'static> {
    let figures = &row.figures;
    let mark = match row.open {
        Some(true) => "▾ ",
        Some(false) => "▸ ",
        None => "  ",
    };
    let name = row.path.last().and_then(Option::as_deref).map_or_else(|| "unknown".to_owned(), printable);
    let name = format!("{}{mark}{name}", "  ".repeat(row.path.len() - 1));
    let number = |text: String| Cell::from(Text::from(text).right_aligned());
    let mut cells = vec![Cell::from(name), number(rate(figures.now, 5))];
    if wide {
        cells.push(number(rate(figures.minute, 60)));
    }
    cells.extend([number(amount(figures.total)), number(amount(figures.unread))]);
    let severity = figures.worst.name();
    let severity = if wide { severity.to_owned() } else { severity.chars().take(1).collect() };
    cells.push(Cell::from(Span::styled(severity, color(figures.worst))));
    if width > 0 {
        cells.push(Cell::from(Span::styled(bars(&figures.bars, width), Style::new().fg(Color::Cyan))));
    }
    TableRow::new(cells)
}

fn color(severity: Severity) -> Style {
    match severity {
        Severity::Benign => Style::new().fg(Color::Green),
        Severity::Suspect => Style::new().fg(Color::Yellow),
        Severity::Harmful => Style::new().fg(Color::Red),
    }
}

fn told(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    if area.height == 0 {
        return;
    }
    let lines: Vec<Text<'_>> = model
        .detail
        .iter()
        .map(|line| match line {
            Line::Head(text) => Text::from(text.as_str()).bold(),
            Line::Sentence(text) => Text::from(text.as_str()),
            Line::Advice(text) => Text::from(text.as_str()).green(),
            Line::Frame(text) => Text::from(format!("  {text}")).dim(),
        })
        .collect();
    let block = Block::new().borders(Borders::TOP).title("latest finding of the selected row");
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

fn footing(model: &Model) -> Text<'static> {
    if let Mode::Filter(text) = &model.mode {
        let mut line = vec![format!("/{}", printable(text)).bold(), "█".into()];
        if let Some(refused) = &model.refused {
            line.push(format!("  {}", printable(refused)).red());
        }
        return Text::from(line);
    }
    match &model.trouble {
        Some(trouble) => Text::from(printable(trouble)).red(),
        None if !model.filter.text().is_empty() => {
            Text::from(vec![format!("filter: {}", printable(model.filter.text())).yellow(), "  / changes it".dim()])
        }
        None => Text::from("? help  Space stop  ← → time  Enter open  / filter  q quit").dim(),
    }
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let height = u16::try_from(KEYS.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let width = 72.min(area.width);
    let area = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let line = |(keys, meaning): &(&'static str, &'static str)| {
        Text::from(vec![format!("{keys:<17} ").bold(), Span::raw(*meaning)])
    };
    let lines: Vec<Text<'_>> = KEYS.iter().map(line).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("keys")), area);
}
