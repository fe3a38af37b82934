//! A kernel on this machine, ready to boot: fetched once, kept by checksum.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{
    apt::Apt,
    bzimage,
    kernels::{self, Build, Pinned},
    mirror::Mirror,
};
use crate::{digest, process};

/// A cached kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
    record: Record,
}

/// What lies in the cache, in its `kernel.toml`.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    abi: String,
    suite: String,
    packages: Vec<String>,
    vmlinux_sha256: String,
}

impl Kernel {
    /// The cached kernel, or the fetched one.
    pub(crate) fn get(cache: &Path, pinned: &Pinned) -> Result<Self> {
        let dir = cache.join("kernels").join(pinned.name);
        match Self::load(&dir) {
            Ok(kernel) if kernel.record.abi == pinned.abi => return Ok(kernel),
            // A substitute stays as long as it is the same one that would be fetched.
            _ => {}
        }
        Self::fetch(cache, &dir, pinned).with_context(|| format!("kernel {}", pinned.name))
    }

    /// Reads the cache and compares the kernel with its recorded checksum.
    fn load(dir: &Path) -> Result<Self> {
        let text = fs::read_to_string(dir.join("kernel.toml")).context("not in the cache")?;
        let record: Record = toml::from_str(&text).context("kernel.toml is damaged")?;
        let kernel = Self { dir: dir.to_owned(), record };
        if digest::of_file(&kernel.vmlinux())? != kernel.record.vmlinux_sha256 {
            bail!("the cached kernel is damaged");
        }
        Ok(kernel)
    }

    fn fetch(cache: &Path, dir: &Path, pinned: &Pinned) -> Result<Self> {
        let apt = Apt::open(cache, &Mirror::of_this_machine()?, pinned.suite)?;
        let names = || apt.names(&format!("linux-image-{}", pinned.series));
        let Build { abi, packages } = kernels::available(pinned, names, |package| apt.record(package))?;
        if abi != pinned.abi {
            eprintln!("vm: WARNING: {} left the mirror; running {abi} in its place.", pinned.abi);
            eprintln!("vm: WARNING: pin {abi} in xtask/src/vm/kernels.rs so that everybody tests the same kernel.");
        }
        if let Ok(kernel) = Self::load(dir)
            && kernel.record.abi == abi
        {
            return Ok(kernel);
        }
        eprintln!("vm: fetching {} from {}", packages.join(" "), pinned.suite);
        let work = dir.with_extension("new");
        let _ = fs::remove_dir_all(&work);
        let unpacked = work.join("unpacked");
        apt.unpack(&packages, &unpacked)?;

        let image = find(&unpacked, &|path| {
            path.is_file() && (path.ends_with("vmlinuz") || path.ends_with(format!("vmlinuz-{abi}")))
        })?;
        let image = fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?;
        let vmlinux = bzimage::elf(&image)?;
        let vmlinux_sha256 = digest::of_bytes(&vmlinux);
        if abi == pinned.abi && vmlinux_sha256 != pinned.sha256 {
            bail!("{abi} has checksum {vmlinux_sha256}, the matrix pins {}", pinned.sha256);
        }
        fs::write(work.join("vmlinux"), vmlinux).context("cannot write vmlinux")?;

        let modules = find(&unpacked, &|path| path.ends_with(format!("modules/{abi}")))?;
        let kept = work.join("lib/modules");
        fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
        fs::rename(modules, kept.join(&abi)).context("cannot move the modules")?;
        // The packages leave the table of dependencies to their installation.
        process::read(Command::new(tool("depmod")?).arg("-b").arg(&work).arg(&abi))?;
        fs::remove_dir_all(&unpacked).context("cannot remove the unpacked packages")?;

        let record = Record { abi, suite: pinned.suite.to_owned(), packages, vmlinux_sha256 };
        let text = toml::to_string(&record).context("writing kernel.toml")?;
        fs::write(work.join("kernel.toml"), text).context("cannot write kernel.toml")?;
        // Only a complete kernel gets its place.
        let _ = fs::remove_dir_all(dir);
        fs::rename(&work, dir).with_context(|| format!("cannot put {} in place", dir.display()))?;
        Ok(Self { dir: dir.to_owned(), record })
    }

    /// The ELF kernel.
    pub(crate) fn vmlinux(&self) -> PathBuf {
        self.dir.join("vmlinux")
    }

    /// The build, as `uname -r` says it in the guest.
    pub(crate) fn abi(&self) -> &str {
        &self.record.abi
    }

    /// Where `modules.dep` and what it names lie.
    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("lib/modules").join(&self.record.abi)
    }
}

/// A system program that is needed here.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    crate::workspace::program(name).with_context(|| format!("no {name} on this machine; run `cargo xtask setup`"))
}

/// The first path below `dir` that is wanted, searched by breadth.
fn find(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
    let mut pending = std::collections::VecDeque::from([dir.to_owned()]);
    while let Some(here) = pending.pop_front() {
        for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
            let path = entry.with_context(|| format!("cannot list {}", here.display()))?.path();
            if wanted(&path) {
                return Ok(path);
            }
            if path.is_dir() && !path.is_symlink() {
                pending.push_back(path);
            }
        }
    }
    bail!("the kernel's packages hold no such file below {}", dir.display())
}
