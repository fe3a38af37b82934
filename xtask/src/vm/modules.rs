//! Kernel modules for the guest, with what they depend on, in load order.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::process;

/// A module as the guest gets it.
pub(crate) struct Module {
    /// File name without folder and compression: `veth.ko`.
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

/// The named modules of a kernel; one that the kernel has built in, or lacks, is left out.
pub(crate) fn load(dir: &Path, names: &[&str]) -> Result<Vec<Module>> {
    let table = dir.join("modules.dep");
    let table = fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let files = ordered(&table, names);
    files.iter().map(|file| read(&dir.join(file))).collect()
}

/// Files in load order, by lines such as `kernel/a.ko: kernel/b.ko kernel/c.ko`, which depmod orders so that the last
/// dependency must be loaded first.
fn ordered(table: &str, names: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in names {
        let line = table.lines().filter_map(|line| line.split_once(':')).find(|(file, _)| stem(file) == *name);
        let Some((file, dependencies)) = line else {
            continue;
        };
        for file in dependencies.split_whitespace().rev().chain([file]) {
            let file = PathBuf::from(file);
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// `kernel/drivers/net/veth.ko.xz` → `veth`.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name)
}

fn read(file: &Path) -> Result<Module> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    // Kernels before 6.0 cannot unpack a module themselves.
    let content = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => process::filter(Command::new("xz").arg("-dc"), content)?,
        Some("zst") => process::filter(Command::new("zstd").arg("-dc"), content)?,
        _ => content,
    };
    Ok(Module { name: format!("{}.ko", stem(&file.to_string_lossy())), content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_once() {
        let table = "kernel/net/tcp_diag.ko.xz: kernel/net/inet_diag.ko.xz kernel/net/base.ko.xz\n\
                     kernel/net/inet_diag.ko.xz: kernel/net/base.ko.xz\nkernel/net/base.ko.xz:\n";
        let expected = ["base", "inet_diag", "tcp_diag"].map(|name| PathBuf::from(format!("kernel/net/{name}.ko.xz")));
        assert_eq!(ordered(table, &["inet_diag", "builtin", "tcp_diag"]), expected);
    }
}
