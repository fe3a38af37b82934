//! `cargo xtask ebpf`: builds the kernel object, or checks that the committed one is what its sources give.
//!
//! The object is committed so that a user needs stable Rust only. Beside it lies a provenance record, by which a
//! forgotten rebuild is seen without any BPF toolchain: the hash of the sources no longer agrees.

mod build;
mod provenance;
mod sources;
mod strip;
pub(crate) mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::{provenance::Provenance, toolchain::Toolchain};
use crate::{digest, workspace};

const REMEDY: &str = "run `cargo xtask ebpf` and commit observer/bpf";

/// Where the committed object lies.
fn object_path() -> PathBuf {
    workspace::root().join("observer/bpf/conn-observer.bpf.o")
}

/// Builds the object and writes it with its provenance.
pub(crate) fn write() -> Result<()> {
    let recorded = Provenance::load().ok();
    let toolchain = Toolchain::find(recorded.as_ref().map(|record| &record.toolchain))?;
    if let Some(sources) = core_sources(&toolchain) {
        bail!("{}", copied_lines(&sources));
    }
    println!("ebpf: building with {toolchain}");
    let object = build::object(&toolchain, false)?;
    let path = object_path();
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    fs::write(&path, &object).with_context(|| format!("cannot write {}", path.display()))?;
    let record = Provenance {
        toolchain: toolchain.identity,
        sha256: provenance::Digests { sources: sources::digest()?, object: digest::of_bytes(&object) },
    };
    record.store()?;
    println!("ebpf: {} bytes, sha256 {}", object.len(), record.sha256.object);
    Ok(())
}

/// Where Debian's compiler says that the sources of `core` are, if they are there: `rust-web-src` brings them.
fn core_sources(toolchain: &Toolchain) -> Option<PathBuf> {
    let version = toolchain.identity.rustc.split(' ').nth(1)?;
    Some(PathBuf::from(format!("/usr/src/rustc-{version}"))).filter(|path| path.exists())
}

/// LLVM copies source lines that it finds into the BTF, so that the bytes depend on what else is installed.
fn copied_lines(sources: &Path) -> String {
    format!(
        "LLVM would copy lines of {} into the BTF: remove rust-web-src (or rust-src) as long as \
         this takes",
        sources.display()
    )
}

/// Checks, in this order: 1. the sources are the recorded ones, 2. so is the object, 3. the sources build,
/// 4. and give the committed bytes. The last is checked only with the recorded toolchain: another gives others.
pub(crate) fn check() -> Result<()> {
    let record = Provenance::load()?;
    if sources::digest()? != record.sha256.sources {
        bail!("the kernel object was built from other sources; {REMEDY}");
    }
    let committed =
        fs::read(object_path()).with_context(|| format!("cannot read {}; {REMEDY}", object_path().display()))?;
    if digest::of_bytes(&committed) != record.sha256.object {
        bail!("the kernel object is not the one its provenance describes; {REMEDY}");
    }
    let toolchain = Toolchain::find(Some(&record.toolchain))?;
    let rebuilt = build::object(&toolchain, true)?;
    if toolchain.identity != record.toolchain {
        println!("ebpf: sources and object agree with the provenance, and the sources build with {toolchain}.");
        println!("ebpf: NOT compared byte for byte: the object was built with {}", record.toolchain);
        return Ok(());
    }
    if rebuilt != committed {
        // Kept for whoever has to find out why.
        let kept = workspace::target_dir().join("bpf/rebuilt.bpf.o");
        fs::write(&kept, &rebuilt).with_context(|| format!("cannot write {}", kept.display()))?;
        if let Some(sources) = core_sources(&toolchain) {
            bail!("the object was not compared: {}", copied_lines(&sources));
        }
        bail!("the recorded toolchain builds other bytes ({}) from the same sources; {REMEDY}", kept.display());
    }
    println!("ebpf: rebuilt with {toolchain}: identical, {} bytes", committed.len());
    Ok(())
}
