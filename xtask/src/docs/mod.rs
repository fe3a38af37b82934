//! `cargo xtask docs [--check]`: the pages that are generated, so that they cannot lie.

mod events;
mod schema;

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{artifacts, process, workspace};

/// Writes `docs/events.md` from the program's own schema; with `check`, only compares.
pub(crate) fn run(check: bool) -> Result<()> {
    let [observer] = artifacts::release([artifacts::OBSERVER])?;
    let text = process::read(Command::new(observer).arg("schema"))?;
    let schema = serde_json::from_slice(&text).context("`conn-observer schema` printed no JSON")?;
    let page = events::page(&schema);
    let path = workspace::root().join("docs/events.md");
    if !check {
        return fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()));
    }
    if fs::read_to_string(&path).unwrap_or_default() != page {
        bail!("docs/events.md is not what the types say; run `cargo xtask docs` and commit it");
    }
    Ok(())
}
