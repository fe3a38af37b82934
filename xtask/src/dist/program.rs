//! The program that goes into the packages.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

/// A processor architecture; each packaging world has its own name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// x86-64.
    Amd64,
}

impl Architecture {
    /// As Debian and the OCI call it, Go's `GOARCH`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
        }
    }
}

/// Something in the program that is no crate of the registry.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    /// None when it came inside the toolchain, which does not tell.
    pub(crate) version: Option<String>,
    /// SPDX expression.
    pub(crate) licence: &'static str,
}

impl Library {
    /// The package URL.
    pub(crate) fn purl(&self) -> String {
        let version = self.version.as_deref().map(|version| format!("@{}", version.replace('+', "%2B")));
        format!("pkg:generic/{}{}", self.name, version.unwrap_or_default())
    }
}

/// The observer, built.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) architecture: Architecture,
    /// Rust's name for the target.
    pub(crate) target: &'static str,
    /// What is linked in besides crates.
    pub(crate) libraries: Vec<Library>,
}

impl Program {
    /// Its bytes.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))
    }
}
