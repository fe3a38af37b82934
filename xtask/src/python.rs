//! `target/tools/NAME`: Python environments for checks, with pinned packages and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{process, workspace};

/// What the live tests ask, ClickHouse among it.
pub(crate) const LIVE: Environment =
    Environment { name: "python", requirements: "tests/peers/python/requirements.txt" };

/// One environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Environment {
    /// Its folder in `target/tools`.
    pub(crate) name: &'static str,
    /// The pinned packages, a file of the tree.
    pub(crate) requirements: &'static str,
}

impl Environment {
    fn folder(self) -> PathBuf {
        workspace::tools_dir().join(self.name)
    }

    /// A program of this environment.
    pub(crate) fn program(self, name: &str) -> Command {
        Command::new(self.folder().join("bin").join(name))
    }

    /// Makes it anew unless it was made from the requirements as they are now.
    pub(crate) fn install(self) -> Result<()> {
        let requirements = workspace::root().join(self.requirements);
        let wanted = fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
        let folder = self.folder();
        // Written last, so that an installation that was interrupted is begun anew.
        let made_from = folder.join("requirements.txt");
        if fs::read(&made_from).is_ok_and(|made| made == wanted) {
            return Ok(());
        }
        println!("setup: the packages of {}, in {}", self.requirements, folder.display());
        // Debian's own first, as python3-venv is for that one.
        let debians = Some(PathBuf::from("/usr/bin/python3")).filter(|path| path.exists());
        let Some(interpreter) = debians.or_else(|| workspace::program("python3")) else {
            bail!("no python3 here; install it, and its module venv");
        };
        process::read(Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&folder))?;
        self.pip(&requirements)?;
        fs::write(&made_from, wanted).with_context(|| format!("cannot write {}", made_from.display()))
    }

    /// Without dependencies: all that is installed is named, with its version. chDB asks for pandas and pyarrow, which
    /// only other interfaces of it need.
    fn pip(self, requirements: &Path) -> Result<()> {
        let mut command = self.program("python");
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        command.args(["--only-binary", ":all:", "--requirement"]).arg(requirements);
        process::read(&mut command).map(drop)
    }
}
