//! The .deb: against the tarball, under lintian's eyes, and installed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{Subject, exists, expected_version};
use crate::{
    dist::{deb, tools},
    process,
    vm::mirror::Mirror,
};

/// What a fresh system is made of: what every Debian has, and the one dependency.
const SUITE: &str = "bookworm";
const DEPENDENCY: &str = "systemd-standalone-sysusers";

/// What the .deb alone has, by Debian's policy.
const DEBIAN_ONLY: [&str; 2] =
    ["usr/share/doc/conn-observer/copyright", "usr/share/doc/conn-observer/changelog.Debian.gz"];

/// Faults by intention: the program is static, and its unit is watched by no Debian tool.
const SUPPRESSED: &str = "statically-linked-binary,embedded-library,unstripped-binary-or-object";

fn package(subject: &Subject<'_>) -> PathBuf {
    subject.release.folder.join(deb::name(subject.release, &subject.inputs.program))
}

pub(super) fn holds_the_same(subject: &Subject<'_>) -> Result<()> {
    // cargo-deb compresses man pages and longer documents.
    let plain = |path: &str| path.strip_suffix(".gz").unwrap_or(path).to_owned();
    let holds: BTreeSet<String> = deb::files(&package(subject))?
        .iter()
        .filter(|path| !DEBIAN_ONLY.contains(&&***path))
        .map(|path| plain(path))
        .collect();
    let wanted: BTreeSet<String> = subject.inputs.contents.iter().map(|content| content.installed()).collect();
    if holds != wanted {
        bail!(
            "in the .deb alone: {:?}; in the tarball alone: {:?} (observer/Cargo.toml and xtask/src/dist/contents.rs)",
            holds.difference(&wanted).collect::<Vec<_>>(),
            wanted.difference(&holds).collect::<Vec<_>>()
        );
    }
    Ok(())
}

pub(super) fn pleases_lintian(subject: &Subject<'_>) -> Result<()> {
    let mut command = Command::new("lintian");
    command.args(["--allow-root", "--fail-on", "error", "--suppress-tags", SUPPRESSED]).arg(package(subject));
    let output = command.output().context("cannot start lintian")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stdout).trim());
    }
    Ok(())
}

pub(super) fn installs_and_leaves(subject: &Subject<'_>) -> Result<()> {
    let root = tools::fresh_folder("debian")?;
    process::read(Command::new("tar").arg("-xf").arg(system("minimal", DEPENDENCY)?).arg("-C").arg(&root))?;
    install(subject, &root)?;
    let inside = |words: &[&str]| within(&root, words);
    let version = inside(&["conn-observer", "--version"])?;
    if version != expected_version(subject.release) {
        bail!("the installed program says it is {version}");
    }
    inside(&["conn-observer", "config", "check", "/etc/conn-observer/config.toml"])?;
    inside(&["dpkg", "--verify", "conn-observer"])?;
    for file in deb::files(&package(subject))? {
        exists(&root, &file)?;
    }
    let conffiles = inside(&["dpkg-query", "--show", "--showformat=${Conffiles}", "conn-observer"])?;
    if !conffiles.contains("/etc/conn-observer/config.toml") {
        bail!("the configuration is no conffile: {conffiles}");
    }
    inside(&["id", "conn-observer"])?;
    let enabled = "etc/systemd/system/multi-user.target.wants/conn-observer.service";
    root.join(enabled).symlink_metadata().with_context(|| format!("the service is not enabled: no {enabled}"))?;

    let logs = root.join("var/log/conn-observer");
    fs::create_dir_all(&logs)
        .and_then(|()| fs::write(logs.join("events.ndjson"), "{}\n"))
        .context("cannot write a log")?;
    inside(&["dpkg", "--purge", "conn-observer"])?;
    for left in [&logs, &root.join("etc/conn-observer/config.toml"), &root.join("usr/bin/conn-observer")] {
        if left.exists() {
            bail!("{} is still there after --purge", left.display());
        }
    }
    Ok(())
}

/// Installs the .deb into a system.
pub(super) fn install(subject: &Subject<'_>, root: &Path) -> Result<()> {
    let file = "/conn-observer.deb";
    fs::copy(package(subject), root.join(file.trim_start_matches('/'))).context("cannot copy the .deb")?;
    within(root, &["dpkg", "--install", file]).map(drop)
}

/// What a command says inside a system.
fn within(root: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("chroot");
    command.arg(root).args(words).env_clear();
    process::read_text(command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive"))
}

/// A fresh system with these packages as an archive, made once.
pub(super) fn system(name: &str, packages: &str) -> Result<PathBuf> {
    let folder = crate::workspace::target_dir().join("dist");
    let archive = folder.join(format!("{SUITE}-{name}.tar"));
    if !archive.is_file() {
        let part = folder.join(format!("{SUITE}-{name}.part.tar"));
        let mirror = Mirror::of_this_machine()?;
        let mut command = Command::new("mmdebstrap");
        command.args(["--quiet", "--variant=minbase", &format!("--include={packages}"), SUITE]).arg(&part);
        process::read(command.arg(mirror.archive(SUITE)))?;
        rename(&part, &archive)?;
    }
    Ok(archive)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {}", from.display()))
}
