//! An aligned table: numbers to the right, everything else to the left.

use std::io::{self, Write};

use super::Cell;
use crate::{clock, message::thousands, render::printable};

/// Rows that are held to measure the columns. Those behind them are measured by as many, and never get narrower columns.
const HELD: usize = 1_000;

/// Between two columns.
const GAP: &str = "  ";

/// Where a screen is too small, columns are not cut to less than this.
const NARROWEST: usize = 10;

/// A table on its way.
pub(super) struct Aligned {
    names: Vec<String>,
    width: Option<usize>,
    /// Of each column.
    widths: Vec<usize>,
    right: Vec<Option<bool>>,
    /// Whether a column may be cut: half a number or a time says nothing.
    yields: Vec<bool>,
    rows: Vec<Vec<String>>,
    begun: bool,
}

impl Aligned {
    pub(super) fn new(names: &[String], width: Option<usize>) -> Self {
        Self {
            names: names.to_vec(),
            width,
            widths: names.iter().map(|name| name.chars().count()).collect(),
            right: vec![None; names.len()],
            yields: vec![true; names.len()],
            rows: Vec::new(),
            begun: false,
        }
    }

    pub(super) fn row(&mut self, cells: &[Cell], out: &mut dyn Write) -> io::Result<()> {
        let mut row = Vec::with_capacity(cells.len());
        for (index, cell) in cells.iter().enumerate() {
            let text = text(cell);
            self.widths[index] = text.chars().count().max(self.widths[index]);
            // The first value that is known decides on a column.
            if self.right[index].is_none() && *cell != Cell::Unknown {
                self.right[index] = Some(is_number(cell));
                self.yields[index] = matches!(cell, Cell::Text(_));
            }
            row.push(text);
        }
        self.rows.push(row);
        if self.rows.len() == HELD { self.flush(out) } else { Ok(()) }
    }

    pub(super) fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.fitting();
        let right: Vec<bool> = self.right.iter().map(|right| right.unwrap_or(false)).collect();
        if !self.begun {
            self.begun = true;
            out.write_all(self.line(&self.names, &widths, &right).as_bytes())?;
        }
        for row in std::mem::take(&mut self.rows) {
            out.write_all(self.line(&row, &widths, &right).as_bytes())?;
        }
        Ok(())
    }

    fn line(&self, values: &[String], widths: &[usize], right: &[bool]) -> String {
        let mut line = String::new();
        for (index, ((value, width), right)) in values.iter().zip(widths).zip(right).enumerate() {
            if index > 0 {
                line.push_str(GAP);
            }
            let value = cut(value, *width);
            if *right {
                line.extend([format!("{value:>width$}")]);
            } else {
                line.extend([format!("{value:<width$}")]);
            }
        }
        let line = line.trim_end();
        let mut line = self.width.map_or_else(|| line.to_owned(), |width| cut(line, width));
        line.push('\n');
        line
    }

    /// Widths of columns that fit: the widest ones give way.
    fn fitting(&self) -> Vec<usize> {
        let mut widths = self.widths.clone();
        let Some(width) = self.width else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let yielding = widths.iter_mut().zip(&self.yields).filter(|(_, yields)| **yields);
            match yielding.map(|(width, _)| width).max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn is_number(cell: &Cell) -> bool {
    matches!(cell, Cell::Integer(_) | Cell::Count(_) | Cell::Change(_) | Cell::Real(_) | Cell::Rate(_))
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Unknown => "-".to_owned(),
        Cell::Boolean(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Count(count) => thousands(*count),
        Cell::Change(number) => {
            format!("{}{}", if *number < 0 { '-' } else { '+' }, thousands(number.unsigned_abs()))
        }
        Cell::Real(number) => number.to_string(),
        Cell::Rate(number) if number.abs() < 1.0 => format!("{number:.2}"),
        Cell::Rate(number) => format!("{number:.1}"),
        // To the millisecond, as the sentences have it.
        Cell::Time(time) => format!("{}Z", clock::wall_text(*time).get(..23).unwrap_or_default()),
        Cell::Around(time) => format!("{}Z", clock::wall_text(*time).get(..19).unwrap_or_default()),
        Cell::Text(text) => printable(text),
    }
}
