//! What is released: version, date and where the packages go.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{process, workspace};

/// Where packages go, below `target/dist`.
pub(crate) const FOLDER: &str = "packages";

/// One release.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// The workspace's version.
    pub(crate) version: String,
    /// Seconds since 1970, for everything that is dated: `SOURCE_DATE_EPOCH`, else the time of the last commit.
    pub(crate) epoch: u64,
    /// Holds the packages and nothing else.
    pub(crate) folder: PathBuf,
}

#[derive(Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

impl Release {
    /// Reads version and date of this tree.
    pub(crate) fn of_this_tree() -> Result<Self> {
        let text = fs::read_to_string(workspace::root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
        let manifest: Manifest = toml::from_str(&text).context("Cargo.toml has no workspace.package.version")?;
        let version = manifest.workspace.package.version;
        Ok(Self { version, epoch: epoch()?, folder: workspace::target_dir().join("dist").join(FOLDER) })
    }

    /// Writes one package.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn epoch() -> Result<u64> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => {
            let mut command = Command::new("git");
            command.current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]);
            process::read_text(&mut command).context("outside a git checkout, set SOURCE_DATE_EPOCH")?
        }
    };
    text.trim().parse().with_context(|| format!("SOURCE_DATE_EPOCH={} is no number of seconds", text.trim()))
}
