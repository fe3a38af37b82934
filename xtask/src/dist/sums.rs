//! `SHA256SUMS`, as `sha256sum --check` reads it.

use std::fs;

use anyhow::{Context as _, Result};

use super::release::Release;
use crate::digest;

/// The list's own name.
pub(crate) const NAME: &str = "SHA256SUMS";

/// Lists every package.
pub(crate) fn write(release: &Release) -> Result<()> {
    let folder = &release.folder;
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    let mut text = String::new();
    for file in files.iter().filter(|file| !file.ends_with(NAME)) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        text += &format!("{}  {name}\n", digest::of_file(file)?);
    }
    release.write(NAME, text.as_bytes()).map(drop)
}
