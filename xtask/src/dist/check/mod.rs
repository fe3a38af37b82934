//! `cargo xtask dist --check`: every package is used as its users will use it, with their tools.

mod container;
mod debian;
mod image;
mod kubernetes;
mod program;
mod sbom;
mod service;
mod sums;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::{Inputs, release::Release};
use crate::{privilege, tally::Tally};

/// What a check looks at.
struct Subject<'a> {
    release: &'a Release,
    inputs: &'a Inputs,
}

/// A check; each name is a sentence about the packages.
type Check = (&'static str, fn(&Subject<'_>) -> Result<()>);

const CHECKS: [Check; 16] = [
    ("the checksums are those of the packages", sums::hold),
    ("made again, every package has the same bytes", sums::are_reproduced),
    ("the program needs no library and no loader", program::is_static),
    ("the program of the tarball runs and can say where it failed", program::runs_from_tarball),
    ("the .deb holds what the tarball holds", debian::holds_the_same),
    ("lintian finds no fault in the .deb", debian::pleases_lintian),
    ("the .deb installs on a fresh Debian, runs, and leaves with its logs", debian::installs_and_leaves),
    (
        "the installed service runs under systemd, reloads, and comes back when it is killed or hangs",
        service::runs_under_systemd,
    ),
    ("skopeo reads the image", image::is_read_by_skopeo),
    ("umoci unpacks the image, and the program runs in it", image::runs_unpacked),
    ("the image observes in a container with what the chart asks for", container::observes),
    ("the bill of materials follows the schema of CycloneDX", sbom::is_valid),
    ("Helm finds no fault in the chart", kubernetes::chart_is_clean),
    ("wrong values are refused by the chart", kubernetes::wrong_values_are_refused),
    ("what the chart renders follows the schemas of Kubernetes", kubernetes::renderings_are_valid),
    ("the manifest and the configuration in it are up to date", kubernetes::manifest_is_current),
];

/// Runs all of them, whatever fails.
pub(super) fn run(release: &Release, inputs: &Inputs) -> Result<Tally> {
    if !privilege::is_root() {
        bail!("checking packages takes root, to install one and to run programs in a root of their own");
    }
    let subject = Subject { release, inputs };
    let mut tally = Tally::default();
    for (name, check) in CHECKS {
        match check(&subject) {
            Ok(()) => {
                println!("test {name} ... ok");
                tally.passed += 1;
            }
            Err(error) => {
                println!("test {name} ... FAILED\n{error:#}");
                tally.failed += 1;
            }
        }
    }
    println!("dist: {tally}");
    Ok(tally)
}

/// What a program prints as its version.
fn expected_version(release: &Release) -> String {
    format!("conn-observer {}\n", release.version)
}

/// An error unless there is such a file.
fn exists(root: &Path, file: &str) -> Result<()> {
    let path = root.join(file);
    fs::metadata(&path).map(drop).with_context(|| format!("no {}", path.display()))
}
