//! Debian packages of any suite through apt with a state of its own: signatures are checked, nothing is installed,
//! and this machine's own apt is left as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::mirror::Mirror;
use crate::process;

/// A package list younger than this is not asked for again.
const FRESH: Duration = Duration::from_secs(12 * 60 * 60);
/// Debian's own keys. A suite newer than the machine is signed by keys that its keyring package already has.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite.
pub(crate) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Opens a suite with its state below `cache`, and brings its package list up to date.
    pub(crate) fn open(cache: &Path, mirror: &Mirror, suite: &str) -> Result<Self> {
        if !Path::new(KEYRING).is_file() {
            bail!("no {KEYRING}, without which no signature can be checked; run `cargo xtask setup`");
        }
        let apt = Self { dir: cache.join("apt").join(suite) };
        for dir in ["lists/partial", "cache/archives/partial"] {
            let dir = apt.dir.join(dir);
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let source = format!("deb [arch=amd64 signed-by={KEYRING}] {} {suite} main\n", mirror.archive(suite));
        let (file, stamp) = (apt.dir.join("sources.list"), apt.dir.join("updated"));
        let unchanged = fs::read_to_string(&file).is_ok_and(|old| old == source);
        let age = fs::metadata(&stamp).and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        if !unchanged || age.is_none_or(|age| age > FRESH) {
            fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
            process::read(apt.command("apt-get").args(["update", "--error-on=any"]))?;
            fs::write(&stamp, "").with_context(|| format!("cannot write {}", stamp.display()))?;
        }
        Ok(apt)
    }

    /// The record of a package that can be downloaded. A name that others only mention has none.
    pub(crate) fn record(&self, package: &str) -> Option<String> {
        let text = process::read_text(self.command("apt-cache").args(["show", package])).ok()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// Names of all packages that begin so, one per line.
    pub(crate) fn names(&self, prefix: &str) -> Result<String> {
        process::read_text(self.command("apt-cache").args(["pkgnames", prefix]))
    }

    /// Downloads packages and unpacks them below `into`.
    pub(crate) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let debs = into.with_extension("debs");
        for dir in [&debs, into] {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        process::read(self.command("apt-get").arg("download").args(packages).current_dir(&debs))?;
        for deb in fs::read_dir(&debs).with_context(|| format!("cannot list {}", debs.display()))? {
            let deb = deb.with_context(|| format!("cannot list {}", debs.display()))?.path();
            process::read(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(into))?;
        }
        fs::remove_dir_all(&debs).with_context(|| format!("cannot remove {}", debs.display()))
    }

    /// An apt tool that sees this suite and no other. Proxies and such still come from the machine's apt.conf.
    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let dir = self.dir.display();
        for option in [
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::lists={dir}/lists"),
            // No package counts as installed: what this machine has must not matter.
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={dir}/cache"),
            // The download goes into our folder, which apt's own user may not enter.
            "APT::Sandbox::User=root".to_owned(),
            "APT::Architecture=amd64".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.arg("-q");
        command
    }
}
