//! Checksums, and that packages are functions of their input.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, bail};

use super::Subject;
use crate::{
    dist::{release::Release, sums, tools},
    process,
};

pub(super) fn hold(subject: &Subject<'_>) -> Result<()> {
    let mut command = Command::new("sha256sum");
    command.current_dir(&subject.release.folder).args(["--check", "--strict", "--quiet", sums::NAME]);
    process::read(&mut command).map(drop)
}

/// The lists of checksums of two runs say it in one comparison.
pub(super) fn are_reproduced(subject: &Subject<'_>) -> Result<()> {
    let again = Release { folder: tools::fresh_folder("again")?, ..subject.release.clone() };
    subject.inputs.make(&again)?;
    let list = |release: &Release| {
        fs::read_to_string(release.folder.join(sums::NAME)).with_context(|| format!("no {}", sums::NAME))
    };
    let (first, second) = (list(subject.release)?, list(&again)?);
    let differing: Vec<&str> = second.lines().filter(|line| !first.contains(*line)).collect();
    if first != second {
        bail!("these have other bytes in {}: {}", again.folder.display(), differing.join(", "));
    }
    Ok(())
}
