//! One hash over everything that decides the object's bytes besides the toolchain: the crate's files, the locked
//! dependencies it reaches, the profile, and our compiler flags.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use toml::{Table, Value};

use super::build;
use crate::{digest::Parts, workspace};

const PACKAGE: &str = "observer-ebpf";

/// The hash of the sources as they lie in the workspace.
pub(super) fn digest() -> Result<String> {
    let root = workspace::root();
    let manifest = table(&root.join("Cargo.toml"))?;
    let tree = locked_tree(&table(&root.join("Cargo.lock"))?, PACKAGE)?;
    let mut parts = Parts::default();
    for (name, content) in files(&root.join(PACKAGE))? {
        parts.add(&name, &content);
    }
    for (package, lines) in &tree {
        parts.add(package, lines.as_bytes());
    }
    parts.add("workspace", settings(&manifest, &tree).to_string().as_bytes());
    parts.add("flags", build::FLAGS.join(" ").as_bytes());
    Ok(parts.finish())
}

fn table(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is no TOML", path.display()))
}

/// Every file of the crate by its path in it, without hidden files and build directories.
fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(inner) = pending.pop() {
        let here = dir.join(&inner);
        for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
            let entry = entry.with_context(|| format!("cannot list {}", here.display()))?;
            let name = entry.file_name();
            let path = inner.join(&name);
            if name == "target" || name.to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.path().is_dir() {
                pending.push(path);
            } else {
                let content =
                    fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
                found.insert(path.to_string_lossy().into_owned(), content);
            }
        }
    }
    Ok(found)
}

/// The workspace's settings that reach this build: edition, release profile, and the version and features asked of
/// each dependency in the tree.
fn settings(manifest: &Table, tree: &BTreeMap<String, String>) -> Table {
    let inner = |outer: &Table, path: &[&str]| {
        path.iter().try_fold(Value::Table(outer.clone()), |value, key| value.get(key).cloned())
    };
    let names: Vec<&str> = tree.keys().filter_map(|key| key.split(' ').next()).collect();
    let mut kept = Table::new();
    for path in [["workspace", "package"], ["workspace", "dependencies"], ["profile", "release"]] {
        let Some(Value::Table(mut part)) = inner(manifest, &path) else {
            continue;
        };
        match path[1] {
            "package" => part.retain(|key, _| key == "edition"),
            "dependencies" => part.retain(|key, _| names.contains(&key)),
            _ => {}
        }
        kept.insert(path[1].to_owned(), Value::Table(part));
    }
    kept
}

/// The packages of `Cargo.lock` that `root` reaches, as "name version" → its whole entry.
fn locked_tree(lock: &Table, root: &str) -> Result<BTreeMap<String, String>> {
    let packages = lock.get("package").and_then(Value::as_array).context("Cargo.lock lists no package")?;
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut tree = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(wanted) = pending.pop() {
        // A dependency is written "name", or "name version" where several versions are locked.
        let mut words = wanted.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let found = packages.iter().find(|package| {
            text(package, "name") == name && version.is_none_or(|version| text(package, "version") == version)
        });
        let Some(package) = found else { bail!("Cargo.lock has no package {wanted}; `cargo build` updates it") };
        let key = format!("{name} {}", text(package, "version"));
        if tree.insert(key, package.to_string()).is_none() {
            let dependencies = package.get("dependencies").and_then(Value::as_array);
            pending.extend(dependencies.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(text: &str) -> BTreeMap<String, String> {
        locked_tree(&text.parse().unwrap(), "top").unwrap()
    }

    const LOCK: &str = r#"
        [[package]]
        name = "top"
        version = "0.1.0"
        dependencies = ["a 2.0.0", "b"]
        [[package]]
        name = "a"
        version = "1.0.0"
        [[package]]
        name = "a"
        version = "2.0.0"
        checksum = "22"
        dependencies = ["b"]
        [[package]]
        name = "b"
        version = "3.0.0"
        dependencies = ["top"]
        [[package]]
        name = "stranger"
        version = "9.0.0"
    "#;

    #[test]
    fn the_tree_holds_what_is_reached_in_the_locked_version() {
        assert_eq!(lock(LOCK).keys().collect::<Vec<_>>(), ["a 2.0.0", "b 3.0.0", "top 0.1.0"]);
    }

    #[test]
    fn a_stranger_in_the_lock_file_changes_nothing_and_a_checksum_does() {
        assert_eq!(lock(LOCK), lock(&LOCK.replace("9.0.0", "9.0.1")));
        assert_ne!(lock(LOCK), lock(&LOCK.replace("\"22\"", "\"23\"")));
    }

    #[test]
    fn a_lock_file_without_the_package_is_an_error() {
        let stale = LOCK.replace("name = \"b\"", "name = \"c\"").parse().unwrap();
        assert!(locked_tree(&stale, "top").unwrap_err().to_string().contains("no package b"));
    }

    #[test]
    fn only_settings_that_reach_the_object_count() {
        let manifest = |edition: &str, other: &str| {
            let text = format!(
                "workspace.package = {{ edition = \"{edition}\", version = \"{other}\" }}\n\
                 workspace.dependencies = {{ a = \"2\", tokio = \"{other}\" }}\n\
                 profile.release = {{ lto = true }}\n"
            );
            settings(&text.parse().unwrap(), &lock(LOCK)).to_string()
        };
        assert_eq!(manifest("2024", "1"), manifest("2024", "2"));
        assert_ne!(manifest("2024", "1"), manifest("2021", "1"));
        assert!(manifest("2024", "1").contains("lto"));
    }

    #[test]
    fn files_are_found_in_any_depth_and_hidden_ones_are_left_out() {
        let dir = std::env::temp_dir().join(format!("xtask-sources-{}", std::process::id()));
        fs::create_dir_all(dir.join("src/deep")).unwrap();
        for name in ["Cargo.toml", "src/deep/x.rs", ".swp"] {
            fs::write(dir.join(name), name).unwrap();
        }
        let found = files(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["Cargo.toml", "src/deep/x.rs"]);
    }
}
