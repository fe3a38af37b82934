//! The Debian package, by cargo-deb: `observer/Cargo.toml` says what is in it, and debhelper's own script fragments make
//! the user and enable the service.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{
    archive,
    contents::{self, Content},
    program::Program,
    release::Release,
    tools,
};
use crate::{process, workspace};

/// Who answers for the package, as in `observer/Cargo.toml`.
const MAINTAINER: &str = "conn-observer maintainers <maintainers@conn-observer.invalid>";

/// Builds it from a program that is there already.
pub(crate) fn build(release: &Release, program: &Program, contents: &[Content]) -> Result<PathBuf> {
    // cargo-deb looks for the program where cargo would have put it, and for all else named `target/release/…` too.
    let stage = workspace::target_dir().join("dist/stage");
    let folder = stage.join(program.target).join("release");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {name} into {}", folder.display()))
    };
    for content in contents.iter().filter(|one| [contents::PROGRAM, contents::THIRD_PARTY].contains(&&*one.path)) {
        put(content.path.rsplit('/').next().unwrap_or_default(), &content.bytes)?;
    }
    put("changelog.Debian.gz", &archive::gzip(changelog(release)?.as_bytes())?)?;
    let path = release.folder.join(name(release, program));
    let mut command = workspace::cargo();
    command.arg("deb").args(["--package", "conn-observer", "--target", program.target]);
    command.args(["--no-build", "--no-strip", "--locked", "--quiet", "--output"]).arg(&path);
    command.env("CARGO_TARGET_DIR", &stage).env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    command.env("PATH", tools::search_path()?);
    process::read(&mut command)?;
    Ok(path)
}

/// As Debian names packages.
pub(crate) fn name(release: &Release, program: &Program) -> String {
    format!("conn-observer_{}-1_{}.deb", release.version, program.architecture.name())
}

/// Debian's own change log (policy §4.4): what changed is told in CHANGELOG.md.
fn changelog(release: &Release) -> Result<String> {
    let date = jiff::Timestamp::from_second(i64::try_from(release.epoch)?)?.to_zoned(jiff::tz::TimeZone::UTC);
    let date = jiff::fmt::rfc2822::to_string(&date).context("SOURCE_DATE_EPOCH is out of range")?;
    let version = &release.version;
    Ok(format!(
        "conn-observer ({version}-1) unstable; urgency=medium\n\n  * Release {version}: see CHANGELOG.md.\n\n \
         -- {MAINTAINER}  {date}\n"
    ))
}

/// What the package holds: each file's path, without a slash at the beginning.
pub(crate) fn files(package: &Path) -> Result<Vec<String>> {
    let mut command = std::process::Command::new("dpkg-deb");
    let archive = process::read(command.arg("--fsys-tarfile").arg(package))?;
    let mut archive = tar::Archive::new(&*archive);
    let mut files = Vec::new();
    for entry in archive.entries().context("dpkg-deb wrote no archive")? {
        let entry = entry.context("dpkg-deb wrote a broken archive")?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().into_owned();
            files.push(path.trim_start_matches("./").to_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_log_has_debians_form() {
        let release = Release { version: "1.2.3".to_owned(), epoch: 0, folder: PathBuf::new() };
        let text = changelog(&release).unwrap();
        assert!(text.starts_with("conn-observer (1.2.3-1) unstable; urgency=medium\n"), "{text}");
        assert!(text.ends_with(".invalid>  Thu, 1 Jan 1970 00:00:00 +0000\n"), "{text}");
    }
}
