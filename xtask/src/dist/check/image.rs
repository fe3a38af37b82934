//! The image, read by tools of the container world.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Subject, expected_version};
use crate::{
    dist::{image, tools},
    process,
};

pub(super) fn is_read_by_skopeo(subject: &Subject<'_>) -> Result<()> {
    let archive = subject.release.folder.join(image::name(subject.release, &subject.inputs.program));
    let text = process::read(Command::new("skopeo").arg("inspect").arg(format!("oci-archive:{}", archive.display())))?;
    let seen: Value = serde_json::from_slice(&text).context("skopeo printed no JSON")?;
    let label = &seen["Labels"]["org.opencontainers.image.version"];
    if *label != *subject.release.version || seen["Architecture"] != subject.inputs.program.architecture.name() {
        bail!("skopeo sees {seen}");
    }
    Ok(())
}

pub(super) fn runs_unpacked(subject: &Subject<'_>) -> Result<()> {
    let root = unpacked(subject, "bundle")?.join("rootfs");
    let version = inside(&root, &["--version"])?;
    if version != expected_version(subject.release) {
        bail!("the image's program says it is {version}");
    }
    inside(&root, &["config", "check", "/etc/conn-observer/config.toml"]).map(drop)
}

/// A folder with the image's root and umoci's proposal of how to run it.
pub(super) fn unpacked(subject: &Subject<'_>, name: &str) -> Result<PathBuf> {
    let archive = subject.release.folder.join(image::name(subject.release, &subject.inputs.program));
    let layout = tools::fresh_folder("layout")?;
    process::read(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&layout))?;
    let bundle = tools::fresh_folder(name)?;
    let reference = format!("{}:{}", layout.display(), subject.release.version);
    process::read(Command::new("umoci").args(["unpack", "--image", &reference]).arg(&bundle))?;
    Ok(bundle)
}

/// Runs the image's program with the image as its root.
fn inside(root: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("chroot");
    // The path is where `chroot` itself is looked for.
    command.arg(root).arg("/usr/bin/conn-observer").args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin");
    process::read_text(&mut command)
}
