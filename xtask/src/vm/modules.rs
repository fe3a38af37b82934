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

/// The named modules of a kernel, and those names that it has neither as modules nor built in.
pub(crate) fn load<'a>(dir: &Path, names: &[&'a str]) -> Result<(Vec<Module>, Vec<&'a str>)> {
    let table = dir.join("modules.dep");
    let table = fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    // Not every package has this list; without it, a built-in module is reported once too often.
    let built_in = fs::read_to_string(dir.join("modules.builtin")).unwrap_or_default();
    let files = ordered(&table, names);
    let modules = files.iter().map(|file| read(&dir.join(file))).collect::<Result<_>>()?;
    Ok((modules, missing(&table, &built_in, names)))
}

/// The names that neither list has.
fn missing<'a>(table: &str, built_in: &str, names: &[&'a str]) -> Vec<&'a str> {
    let files = table.lines().filter_map(|line| line.split(':').next()).chain(built_in.lines());
    let known: Vec<&str> = files.map(stem).collect();
    names.iter().copied().filter(|name| !known.contains(name)).collect()
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

    #[test]
    fn a_module_is_missing_when_neither_list_has_it() {
        let table = "kernel/net/veth.ko.xz: kernel/net/tun.ko.xz\nkernel/net/tap.ko.xz:\n";
        let missing = missing(table, "kernel/net/dummy.ko\n", &["veth", "dummy", "tun", "tap"]);
        assert_eq!(missing, ["tun"], "what is only depended on has no line of its own");
    }
}
