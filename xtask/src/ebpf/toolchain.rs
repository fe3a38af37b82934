//! Finds a compiler that can build for BPF, and the linker. Installs nothing: that is `cargo xtask setup`.
//!
//! Two kinds of compiler do: one with a ready `core` for BPF (Debian's `libstd-rust-*-dev-bpf`), and a rustup
//! nightly with `rust-src`, which builds `core` first.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::{process, vm::libraries, workspace};

/// Rust's name for little-endian BPF.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// What decides which bytes come out; recorded beside the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// `rustc --version`.
    pub(crate) rustc: String,
    /// Whether `core` came with the compiler or was built from `rust-src`.
    pub(crate) core: Core,
    /// LLVM inside the compiler.
    pub(crate) rustc_llvm: String,
    /// `bpf-linker --version`.
    pub(crate) linker: String,
    /// The LLVM library that the linker loads, or "static".
    pub(crate) linker_llvm: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (LLVM {}), {} ({})", self.rustc, self.rustc_llvm, self.linker, self.linker_llvm)
    }
}

/// Where the BPF build's `core` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Core {
    /// Compiled by the distribution, as rlib.
    Ready,
    /// `-Z build-std=core`.
    BuildStd,
}

/// A compiler and a linker that exist on this machine.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) cargo: PathBuf,
    pub(crate) rustc: PathBuf,
    pub(crate) sysroot: PathBuf,
    pub(crate) linker: PathBuf,
    pub(crate) identity: Identity,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.fmt(f)
    }
}

impl Toolchain {
    /// The recorded toolchain when it is here, else the first that is.
    pub(crate) fn find(recorded: Option<&Identity>) -> Result<Self> {
        let Some(linker) = linker() else {
            bail!("no bpf-linker on PATH or in {}; run `cargo xtask setup`", workspace::tools_dir().display());
        };
        let mut found = compilers()
            .into_iter()
            .filter_map(|(cargo, rustc)| Self::examine(cargo, rustc, &linker).transpose())
            .collect::<Result<Vec<_>>>()?;
        if found.is_empty() {
            bail!(
                "no compiler for {TARGET} that {} can follow: neither one with a ready core (Debian: \
                 libstd-rust-*-dev-bpf) nor a rustup nightly with rust-src; run `cargo xtask setup`",
                linker.display()
            );
        }
        let best = found.iter().position(|toolchain| Some(&toolchain.identity) == recorded);
        Ok(found.swap_remove(best.unwrap_or(0)))
    }

    /// `None` when this compiler cannot build for BPF.
    fn examine(cargo: PathBuf, rustc: PathBuf, linker: &Path) -> Result<Option<Self>> {
        let Some((sysroot, core)) = core_of(&rustc)? else {
            return Ok(None);
        };
        let verbose = process::read_text(Command::new(&rustc).arg("-vV"))?;
        let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
        let identity = Identity {
            rustc: verbose.lines().next().unwrap_or_default().to_owned(),
            core,
            rustc_llvm: llvm.unwrap_or("unknown").to_owned(),
            linker: process::read_text(Command::new(linker).arg("--version"))?.trim().to_owned(),
            linker_llvm: linker_llvm(linker)?,
        };
        // A linker cannot read the bitcode of a newer LLVM. A static one tells no version: then it is tried.
        if let (Some(linker), Some(rustc)) = (major(&identity.linker_llvm), major(&identity.rustc_llvm))
            && linker < rustc
        {
            return Ok(None);
        }
        Ok(Some(Self { cargo, rustc, sysroot, linker: linker.to_owned(), identity }))
    }
}

/// Compilers worth a look, as (cargo, rustc): the distribution's, then rustup's nightly.
pub(crate) fn compilers() -> Vec<(PathBuf, PathBuf)> {
    let system = |name: &str| Some(PathBuf::from("/usr/bin").join(name)).filter(|file| file.is_file());
    let nightly = |name: &str| {
        let which = process::read_text(Command::new("rustup").args(["which", "--toolchain", "nightly", name]));
        which.ok().map(|path| PathBuf::from(path.trim()))
    };
    let pairs = [(system("cargo"), system("rustc")), (nightly("cargo"), nightly("rustc"))];
    pairs.into_iter().filter_map(|(cargo, rustc)| cargo.zip(rustc)).collect()
}

/// The linker: what `setup` built here before what PATH offers, since that one is known to fit.
pub(crate) fn linker() -> Option<PathBuf> {
    let own = workspace::tools_dir().join("bin/bpf-linker");
    if own.is_file() { Some(own) } else { workspace::program("bpf-linker") }
}

fn linker_llvm(linker: &Path) -> Result<String> {
    let needed = libraries::needed(linker)?;
    Ok(needed.into_iter().find(|name| name.starts_with("libLLVM")).unwrap_or_else(|| "static".to_owned()))
}

/// Whether any compiler here can build for BPF, whatever the linker.
pub(crate) fn compiler_present() -> bool {
    compilers().into_iter().any(|(_, rustc)| core_of(&rustc).is_ok_and(|core| core.is_some()))
}

/// The compiler's own folder and where its `core` for BPF would come from; `None` when from nowhere.
fn core_of(rustc: &Path) -> Result<Option<(PathBuf, Core)>> {
    let sysroot = process::read_text(Command::new(rustc).args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(sysroot.trim());
    let rustlib = sysroot.join("lib/rustlib");
    let ready = rustlib.join(TARGET).join("lib").is_dir();
    let source = rustlib.join("src/rust/library/core").is_dir();
    Ok(if ready {
        Some((sysroot, Core::Ready))
    } else if source {
        Some((sysroot, Core::BuildStd))
    } else {
        None
    })
}

/// The major version in "22.1.8" or "libLLVM.so.22.1".
fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_versions_are_compared_by_their_major_number() {
        assert_eq!(major("22.1.8"), Some(22));
        assert_eq!(major("libLLVM.so.22.1"), Some(22));
        assert_eq!(major("libLLVM-21.so"), Some(21));
        assert_eq!(major("static"), None);
    }
}
