//! `docs/store-tables.md`: the tables of the store, from the comments of the statements that make them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

/// The statements that make the tables; the steps behind it change indices only.
pub(super) const SOURCE: &str = "observer/src/store/schema/1.sql";

/// The page.
///
/// # Errors
/// When a table or a column is not explained.
pub(super) fn page(sql: &str) -> Result<String> {
    let mut page = String::from(
        "# The tables of the store\n\nWhat `conn-observer --record` writes, generated from the statements that make the tables. \
         How to use it: [store.md](store.md). The view `finding` has names instead of numbers.\n",
    );
    let mut comment = String::new();
    let mut lines = sql.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("-- ") {
            let _ = write!(comment, "{}{text}", if comment.is_empty() { "" } else { " " });
        } else if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            let name = name.trim_end_matches(" (");
            let _ = write!(page, "\n## {name}\n\n");
            if !comment.is_empty() {
                let _ = write!(page, "{comment}\n\n");
            }
            page.push_str("| column | type | meaning |\n|---|---|---|\n");
            for column in lines.by_ref().take_while(|line| line.starts_with("    ")) {
                page.push_str(&row(column.trim()).with_context(|| format!("table {name}, {column}"))?);
            }
            comment.clear();
        } else if let Some(name) = line.strip_prefix("CREATE VIEW ") {
            let _ = write!(page, "\n## {}\n\n{comment}\n", name.trim_end_matches(" AS"));
            comment.clear();
        } else if line.is_empty() {
            if !comment.is_empty() {
                let _ = write!(page, "\n{comment}\n");
            }
            comment.clear();
        }
    }
    Ok(page)
}

/// `name TYPE …, -- meaning`; constraints of the table are no columns.
fn row(line: &str) -> Result<String> {
    let (definition, comment) = line.split_once("--").unwrap_or((line, ""));
    let definition = definition.trim().trim_end_matches(',');
    let mut words = definition.split_whitespace();
    let name = words.next().context("no name")?;
    if name == "UNIQUE" || name == "PRIMARY" {
        return Ok(String::new());
    }
    let kind = words.next().context("no type")?;
    let reference = definition.split_once("REFERENCES ").map(|(_, table)| format!("of `{}`", table.trim()));
    let meaning = [reference, Some(comment.trim().to_owned()).filter(|text| !text.is_empty())];
    let meaning: Vec<String> = meaning.into_iter().flatten().collect();
    Ok(format!("| `{name}` | {kind} | {} |\n", meaning.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_tables() {
        let page = page(
            "-- About all.\n\n-- One a row.\nCREATE TABLE a (\n    id INTEGER PRIMARY KEY,\n    b INTEGER NOT NULL REFERENCES b, -- why\n    UNIQUE (b)\n);\nCREATE INDEX x ON a (b);\n\n-- All.\nCREATE VIEW v AS\nSELECT 1;\n",
        );
        let page = page.unwrap();
        assert!(page.contains("\nAbout all.\n\n## a\n\nOne a row.\n\n| column"), "{page}");
        assert!(page.contains("| `id` | INTEGER |  |\n| `b` | INTEGER | of `b`; why |\n\n## v\n\nAll.\n"), "{page}");
    }
}
