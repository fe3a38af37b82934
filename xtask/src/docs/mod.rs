//! `cargo xtask docs [--check]`: the files that are generated, so that they cannot lie.

mod copies;
mod events;
mod schema;
mod tables;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use self::copies::Copies;
use crate::{artifacts, process, workspace};

/// Folders in which everything is generated.
const MAN: &str = "docs/man";
const COMPLETIONS: &str = "packaging/completions";
const SCHEMAS: &str = "docs/schema";

/// What packages install as /etc/conn-observer/config.toml.
const CONFIGURATION: &str = "packaging/config.toml";

/// What the packaged service does besides what the program does by itself.
const RECORDED: &str = "
# The packaged service keeps what it sees: `conn-observer query --store /var/lib/conn-observer/events.db`.
[[sink.record]]
path = \"/var/lib/conn-observer/events.db\"
";

/// Each shell with the name it looks for.
const SHELLS: [(&str, &str); 3] =
    [("bash", "conn-observer.bash"), ("zsh", "_conn-observer"), ("fish", "conn-observer.fish")];

/// Writes what the program says about itself; with `check`, only compares.
pub(crate) fn run(check: bool) -> Result<()> {
    let [observer] = artifacts::release([artifacts::OBSERVER])?;
    let copies = copies(&observer)?;
    if !check {
        return copies.write(workspace::root());
    }
    let stale = copies.stale(workspace::root())?;
    if !stale.is_empty() {
        bail!("not what the program says: {}; run `cargo xtask docs` and commit", stale.join(", "));
    }
    Ok(())
}

/// Everything that comes from the program.
fn copies(observer: &Path) -> Result<Copies> {
    let mut copies = Copies::of_folders([MAN, COMPLETIONS, SCHEMAS]);
    let ask = |words: &[&OsStr]| process::read_text(Command::new(observer).args(words));

    let text = ask(&["schema".as_ref()])?;
    let schema: serde_json::Value = serde_json::from_str(&text).context("`conn-observer schema` printed no JSON")?;
    copies.add("docs/events.md", events::page(&schema));
    copies.add(format!("{SCHEMAS}/conn-observer-1.json"), text);

    let pages = fresh(workspace::target_dir().join("man"))?;
    ask(&["man".as_ref(), "--dir".as_ref(), pages.as_os_str()])?;
    for entry in fs::read_dir(&pages).with_context(|| format!("cannot list {}", pages.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", pages.display()))?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        copies.add(Path::new(MAN).join(path.file_name().unwrap_or_default()), text);
    }

    for (shell, name) in SHELLS {
        copies.add(format!("{COMPLETIONS}/{name}"), ask(&["completions".as_ref(), shell.as_ref()])?);
    }

    let statements = workspace::root().join(tables::SOURCE);
    let statements =
        fs::read_to_string(&statements).with_context(|| format!("cannot read {}", statements.display()))?;
    copies.add("docs/store-tables.md", tables::page(&statements)?);

    copies.add(CONFIGURATION, ask(&["config".as_ref(), "default".as_ref()])? + RECORDED);
    Ok(copies)
}

/// An empty folder.
fn fresh(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
