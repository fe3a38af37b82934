//! Rows of the table: processes, below them their peers, below those the causes, as far as they are opened.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use super::figures::{Figures, LEVELS, Leaf};

/// Where a row is in the tree: the values of its levels.
pub(super) type Path = Vec<Option<String>>;

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Findings of the last seconds; where there are none, those of the minute, then all.
    #[default]
    Now,
    /// Of the last minute.
    Minute,
    /// Of all time.
    Total,
    /// Unread bytes.
    Unread,
    /// The worst severity.
    Worst,
    /// The name.
    Name,
}

/// Which rows show what is below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    /// All do, but those of the list.
    all: bool,
    others: HashSet<Path>,
}

impl Opened {
    /// Whether this one does.
    pub(super) fn contains(&self, path: &[Option<String>]) -> bool {
        self.all != self.others.contains(path)
    }

    /// Opens or closes one.
    pub(super) fn toggle(&mut self, path: &Path) {
        if !self.others.remove(path) {
            self.others.insert(path.clone());
        }
    }

    /// Opens or closes all.
    pub(super) fn toggle_all(&mut self) {
        *self = Self { all: !self.all, others: HashSet::new() };
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) path: Path,
    pub(super) figures: Figures,
    /// Whether what is below it is shown; None when there is nothing below.
    pub(super) open: Option<bool>,
}

/// The rows of these figures.
pub(super) fn rows(leaves: &BTreeMap<Leaf, Figures>, opened: &Opened, sort: Sort) -> Vec<Row> {
    let leaves: Vec<(&Leaf, &Figures)> = leaves.iter().collect();
    let mut rows = Vec::new();
    level(&leaves, &mut Vec::new(), opened, sort, &mut rows);
    rows
}

/// Adds the rows below a path, of which these are the leaves, in their order.
fn level(leaves: &[(&Leaf, &Figures)], path: &mut Path, opened: &Opened, sort: Sort, rows: &mut Vec<Row>) {
    let depth = path.len();
    let same = leaves.chunk_by(|one, other| one.0[depth] == other.0[depth]);
    let mut groups: Vec<(&[(&Leaf, &Figures)], Figures)> = same
        .map(|group| {
            let mut sum = Figures::default();
            group.iter().for_each(|(_, figures)| sum.add(figures));
            (group, sum)
        })
        .collect();
    // The sort is stable, and the leaves are in the order of their names.
    groups.sort_by_key(|(_, sum)| Reverse(weight(sum, sort)));
    for (group, figures) in groups {
        path.push(group[0].0[depth].clone());
        let innermost = path.len() == LEVELS.len();
        let open = (!innermost).then(|| opened.contains(path));
        rows.push(Row { path: path.clone(), figures, open });
        if open == Some(true) {
            level(group, path, opened, sort, rows);
        }
        path.pop();
    }
}

fn weight(figures: &Figures, sort: Sort) -> (u64, u64, u64) {
    let Figures { now, minute, total, unread, worst, .. } = *figures;
    match sort {
        Sort::Now => (now, minute, total),
        Sort::Minute => (minute, now, total),
        Sort::Total => (total, minute, now),
        Sort::Unread => (unread, total, now),
        Sort::Worst => (worst as u64, total, now),
        Sort::Name => (0, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::severity::Severity;

    fn leaves() -> BTreeMap<Leaf, Figures> {
        let leaf = |process: Option<&str>, peer: &str, cause: &str, now, total, unread, worst| {
            let names = [process, Some(peer), Some(cause)].map(|name| name.map(str::to_owned));
            (names, Figures { now, total, unread, worst, ..Figures::default() })
        };
        BTreeMap::from([
            leaf(Some("a"), "one", "close_unread", 1, 10, 70, Severity::Harmful),
            leaf(Some("a"), "two", "linger_zero", 2, 20, 0, Severity::Suspect),
            leaf(Some("b"), "one", "close_unread", 9, 9, 0, Severity::Benign),
            leaf(None, "two", "no_socket", 0, 50, 0, Severity::Benign),
        ])
    }

    fn told(opened: &Opened, sort: Sort) -> Vec<String> {
        let told = |row: &Row| {
            let names: Vec<&str> = row.path.iter().map(|name| name.as_deref().unwrap_or("?")).collect();
            format!("{} {}", names.join("/"), row.figures.total)
        };
        rows(&leaves(), opened, sort).iter().map(told).collect()
    }

    #[test]
    fn a_row_is_the_sum_of_what_is_below_it() {
        assert_eq!(told(&Opened::default(), Sort::Now), ["b 9", "a 30", "? 50"]);
        let mut opened = Opened::default();
        opened.toggle(&vec![Some("a".to_owned())]);
        opened.toggle(&vec![Some("a".to_owned()), Some("two".to_owned())]);
        assert_eq!(told(&opened, Sort::Now), ["b 9", "a 30", "a/two 20", "a/two/linger_zero 20", "a/one 10", "? 50"]);
        opened.toggle_all();
        assert_eq!(told(&opened, Sort::Name).len(), 3 + 4 + 4);
        opened.toggle(&vec![Some("a".to_owned())]);
        assert_eq!(told(&opened, Sort::Name).len(), 3 + 2 + 2);
    }

    #[test]
    fn every_column_sorts() {
        let first = |sort| told(&Opened::default(), sort)[0].clone();
        assert_eq!(first(Sort::Now), "b 9");
        assert_eq!(first(Sort::Total), "? 50");
        assert_eq!(first(Sort::Unread), "a 30");
        assert_eq!(first(Sort::Worst), "a 30");
        assert_eq!(told(&Opened::default(), Sort::Name), ["? 50", "a 30", "b 9"]);
    }
}
