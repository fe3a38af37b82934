//! Compiles and links `observer-ebpf` so that the bytes depend on the sources and the toolchain alone: no path of
//! this machine, no variable of this shell may reach the object.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    strip,
    toolchain::{Core, TARGET, Toolchain},
};
use crate::{process, workspace};

/// The program's name in `observer-ebpf`.
const BIN: &str = "conn-observer-ebpf";

/// Compiler flags; part of the sources' hash.
pub(super) const FLAGS: [&str; 5] = [
    // Found through PATH: a path here would be a path of this machine.
    "-Clinker=bpf-linker",
    "-Clink-arg=--btf",
    // In order means that copies which may overlap, and zeros, are left to loops over bytes, which cost the verifier and every
    // connection.
    "-Clink-arg=--disable-expand-memcpy-in-order",
    // bpf-linker makes BTF from debug information, and the kernel wants BTF for every function that it verifies.
    "-Cdebuginfo=2",
    "-Cpanic=abort",
];

/// The object's bytes, without DWARF. `locked` refuses a stale `Cargo.lock` instead of updating it.
pub(super) fn object(toolchain: &Toolchain, locked: bool) -> Result<Vec<u8>> {
    let target_dir = workspace::target_dir().join("bpf");
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(workspace::root());
    foreign_variables().for_each(|name| {
        command.env_remove(name);
    });
    command
        .args(["build", "--quiet", "--release", "--package", "observer-ebpf", "--bin", BIN, "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_dir)
        .env("RUSTC", &toolchain.rustc)
        // aya-ebpf uses unstable features of the BPF target; a nightly does not mind the variable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain).join("\x1f"))
        .env("PATH", search_path(toolchain)?);
    if toolchain.identity.core == Core::BuildStd {
        command.args(["-Z", "build-std=core"]);
    }
    if locked {
        command.arg("--locked");
    }
    process::run(&mut command)?;
    let built = target_dir.join(TARGET).join("release").join(BIN);
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    strip::dwarf(&bytes)
}

/// The constant flags and the replacement of every path that names a place on this machine.
fn flags(toolchain: &Toolchain) -> Vec<String> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    FLAGS
        .iter()
        .map(|&flag| flag.to_owned())
        .chain([
            // The last match wins, so what may lie inside another comes after it.
            remap(&toolchain.sysroot, "/rust"),
            remap(&cargo_home(), "/cargo"),
            remap(&workspace::root(), "/conn-observer"),
        ])
        .collect()
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// PATH with the linker's folder in front.
fn search_path(toolchain: &Toolchain) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let linker = toolchain.linker.parent().map(Path::to_owned);
    env::join_paths(linker.into_iter().chain(env::split_paths(&path))).context("a folder of PATH holds a colon")
}

/// Variables that would choose another compiler or change the profile: set by the cargo and rustup that run us, or
/// by the user for other builds.
fn foreign_variables() -> impl Iterator<Item = OsString> {
    const NAMES: [&str; 6] =
        ["CARGO", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"];
    const PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PROFILE_"];
    env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        NAMES.contains(&&*name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}
