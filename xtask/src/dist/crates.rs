//! What is linked into the program: its crates for one target, as cargo resolves them, with licence and checksum.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{process, workspace};

/// The package that is shipped.
const PACKAGE: &str = "conn-observer";

/// One crate; sorted by name, then version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) licence: String,
    pub(crate) description: Option<String>,
    pub(crate) repository: Option<String>,
    /// Where its sources lie here.
    pub(crate) folder: PathBuf,
    /// SHA-256 of the registry's package; none for our own.
    pub(crate) checksum: Option<String>,
    /// The crates of the program that it uses, as package URLs.
    pub(crate) uses: Vec<String>,
}

impl Crate {
    /// The package URL (<https://github.com/package-url/purl-spec>).
    pub(crate) fn purl(&self) -> String {
        purl(&self.name, &self.version)
    }
}

fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// `cargo metadata`, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// `Cargo.lock`, as far as it matters here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The program's own package, and every other crate whose code is linked into it: no procedural macros, no build
/// scripts.
pub(crate) fn of_program(target: &str) -> Result<(Crate, Vec<Crate>)> {
    // `cargo tree` selects features for this one package, as its build does; the metadata are of the whole workspace.
    let mut tree = workspace::cargo();
    tree.args(["tree", "--quiet", "--locked", "--package", PACKAGE, "--edges", "normal,no-proc-macro"]);
    tree.args(["--target", target, "--prefix", "none", "--no-dedupe", "--format", "{p}"]);
    let linked = parse_tree(&process::read_text(&mut tree)?);
    let mut metadata = workspace::cargo();
    metadata.args(["metadata", "--quiet", "--locked", "--format-version", "1", "--filter-platform", target]);
    let metadata: Metadata =
        serde_json::from_slice(&process::read(&mut metadata)?).context("cannot read what `cargo metadata` prints")?;
    let lock = workspace::root().join("Cargo.lock");
    let text = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let lock: Lock = toml::from_str(&text).context("cannot read Cargo.lock")?;
    let (own, others) = join(&linked, metadata, lock).into_iter().partition::<Vec<_>, _>(|one| one.name == PACKAGE);
    let own = own.into_iter().next().with_context(|| format!("`cargo tree` does not name {PACKAGE}"))?;
    Ok((own, others))
}

/// Lines such as "anyhow v1.0.104" and "observer-ebpf v0.1.0 (/work/observer-ebpf)".
fn parse_tree(text: &str) -> BTreeSet<(String, String)> {
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| (name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(one).collect()
}

fn join(linked: &BTreeSet<(String, String)>, metadata: Metadata, lock: Lock) -> Vec<Crate> {
    let checksums: BTreeMap<_, _> =
        lock.package.into_iter().map(|one| ((one.name, one.version), one.checksum)).collect();
    let key = |package: &Package| (package.name.clone(), package.version.clone());
    let purls: BTreeMap<&str, String> = metadata
        .packages
        .iter()
        .filter(|package| linked.contains(&key(package)))
        .map(|package| (&*package.id, purl(&package.name, &package.version)))
        .collect();
    let uses = |id: &str| {
        let node = metadata.resolve.nodes.iter().find(|node| node.id == id);
        let used = node.into_iter().flat_map(|node| &node.dependencies);
        used.filter_map(|id| purls.get(&**id).cloned()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let mut crates: Vec<Crate> = metadata
        .packages
        .iter()
        .filter(|package| purls.contains_key(&*package.id))
        .map(|package| Crate {
            name: package.name.clone(),
            version: package.version.clone(),
            // The slash of old manifests is no SPDX operator.
            licence: package.license.as_deref().unwrap_or("NOASSERTION").replace('/', " OR "),
            description: package.description.clone(),
            repository: package.repository.clone(),
            folder: package.manifest_path.parent().map(Path::to_owned).unwrap_or_default(),
            checksum: checksums.get(&key(package)).cloned().flatten(),
            uses: uses(&package.id),
        })
        .collect();
    crates.sort();
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_once_with_what_it_uses_of_the_program() {
        let linked = parse_tree("a v1.0.0 (/work/a)\nb v2.0.0\nb v2.0.0\n\nno version\n");
        assert_eq!(linked.len(), 2);
        let metadata = r#"{"packages":[
            {"id":"id-a","name":"a","version":"1.0.0","license":"MIT","description":null,"repository":null,"manifest_path":"/work/a/Cargo.toml"},
            {"id":"id-b","name":"b","version":"2.0.0","license":"MIT/Apache-2.0","description":"d","repository":"r","manifest_path":"/r/b/Cargo.toml"},
            {"id":"id-m","name":"m","version":"3.0.0","license":"MIT","description":null,"repository":null,"manifest_path":"/r/m/Cargo.toml"}],
            "resolve":{"nodes":[{"id":"id-a","dependencies":["id-b","id-m"]},{"id":"id-b","dependencies":[]}]}}"#;
        let lock = "package = [{ name = \"a\", version = \"1.0.0\" },
                               { name = \"b\", version = \"2.0.0\", checksum = \"00ff\" }]";
        let crates = join(&linked, serde_json::from_str(metadata).unwrap(), toml::from_str(lock).unwrap());
        let names: Vec<String> = crates.iter().map(Crate::purl).collect();
        assert_eq!(names, ["pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0"]);
        assert_eq!(crates[0].uses, ["pkg:cargo/b@2.0.0"]);
        assert_eq!(crates[1].licence, "MIT OR Apache-2.0");
        assert_eq!(crates[1].checksum.as_deref(), Some("00ff"));
        assert_eq!(crates[1].folder, Path::new("/r/b"));
    }
}
