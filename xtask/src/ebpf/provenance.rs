//! The record beside the committed object: which toolchain made it, from which sources.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{REMEDY, toolchain::Identity};
use crate::workspace;

const HEADER: &str =
    "# Written by `cargo xtask ebpf`: what conn-observer.bpf.o was built with and from. Not edited by hand.\n\n";

/// `observer/bpf/provenance.toml`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Provenance {
    pub(super) toolchain: Identity,
    pub(super) sha256: Digests,
}

/// What went in, what came out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digests {
    pub(super) sources: String,
    pub(super) object: String,
}

impl Provenance {
    fn path() -> PathBuf {
        workspace::root().join("observer/bpf/provenance.toml")
    }

    pub(super) fn load() -> Result<Self> {
        let path = Self::path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}; {REMEDY}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is damaged; {REMEDY}", path.display()))
    }

    pub(super) fn store(&self) -> Result<()> {
        let text = format!("{HEADER}{}", toml::to_string(self).context("writing the provenance")?);
        fs::write(Self::path(), text).with_context(|| format!("cannot write {}", Self::path().display()))
    }
}
