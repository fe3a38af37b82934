//! The kernels that the tests are run on: one stock Debian cloud build of each series, pinned.

use anyhow::{Context as _, Result};

/// One kernel of the matrix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// The name on the command line.
    pub(crate) name: &'static str,
    /// The series: when the build has left the mirror, the newest of these takes its place.
    pub(crate) series: &'static str,
    /// Where Debian keeps it.
    pub(crate) suite: &'static str,
    /// The build; package names end in it.
    pub(crate) abi: &'static str,
    /// SHA-256 of the build's ELF kernel, so that a cached file is the one that was tested.
    pub(crate) sha256: &'static str,
}

/// Oldest first. 5.10 is the oldest series with the ring buffer, 6.12 the first one here that gives reasons for RSTs.
/// 6.12.43 is from before upstream 5f9238530970, which every other one has: it still sends phantom RSTs.
pub(crate) const PINNED: [Pinned; 6] = [
    Pinned {
        name: "5.10",
        series: "5.10",
        suite: "bullseye-security",
        abi: "5.10.0-46-cloud-amd64",
        sha256: "509562922380ca4122b3b1c6993317e99e27a02941c4b42180626ba43b5d4555",
    },
    Pinned {
        name: "6.1",
        series: "6.1",
        suite: "bookworm-security",
        abi: "6.1.0-56-cloud-amd64",
        sha256: "b2b9d602a316b2dbd4870911aa07d40bf0b3f59c4d0147c7bc7e18c049a01fab",
    },
    Pinned {
        name: "6.12.43",
        series: "6.12",
        suite: "bookworm-backports",
        abi: "6.12.43+deb12-cloud-amd64",
        sha256: "224dd529a8888d79429c161d0cb89cb0e3df51f79ddaba953ad7774d34584321",
    },
    Pinned {
        name: "6.12",
        series: "6.12",
        suite: "bookworm-security",
        abi: "6.12.117+deb12-cloud-amd64",
        sha256: "7c1eeb3d74fe3ae2160a0e6bdfcaafc3863d13a6cd9ef6cdedf839a2e24809c8",
    },
    Pinned {
        name: "6.18",
        series: "6.18",
        suite: "trixie-backports",
        abi: "6.18.15+deb13-cloud-amd64",
        sha256: "98c59cf151f8b4209dce0151fd83f6415238f2419c60982257ad0bd2006d4ec3",
    },
    Pinned {
        name: "7.3",
        series: "7.3",
        suite: "trixie-backports",
        abi: "7.3.4+deb13-cloud-amd64",
        sha256: "4030a415c72c956ed8cb0af353fd31bb755e167883c5ba9d9b3d2c84b22897fe",
    },
];

/// The named kernels in the order of the table; all when none is named.
pub(crate) fn select(names: &[String]) -> Result<Vec<&'static Pinned>> {
    for name in names {
        PINNED.iter().find(|kernel| kernel.name == name).with_context(|| {
            let known: Vec<&str> = PINNED.iter().map(|kernel| kernel.name).collect();
            format!("no kernel {name} in the matrix; it has {}", known.join(", "))
        })?;
    }
    Ok(PINNED.iter().filter(|kernel| names.is_empty() || names.iter().any(|name| name == kernel.name)).collect())
}

/// A build that can be downloaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) abi: String,
    /// What holds its kernel and its modules.
    pub(crate) packages: Vec<String>,
}

/// The pinned build or, where the mirror has dropped it, the newest complete one of its series.
///
/// `names` lists the package names of the suite, `record` gives the record of a package that the suite has.
pub(crate) fn available(
    pinned: &Pinned,
    names: impl FnOnce() -> Result<String>,
    record: impl Fn(&str) -> Option<String>,
) -> Result<Build> {
    if let Some(build) = build(pinned.abi, &record) {
        return Ok(build);
    }
    let newest = builds(pinned.series, &names()?).iter().find_map(|abi| build(abi, &record));
    newest.with_context(|| {
        let Pinned { suite, series, .. } = pinned;
        format!("{suite} has no build of {series} any more; pin another series in xtask/src/vm/kernels.rs")
    })
}

/// A build with its packages, if the mirror has them all: an old one goes package by package.
fn build(abi: &str, record: &impl Fn(&str) -> Option<String>) -> Option<Build> {
    let image = format!("linux-image-{abi}");
    let split = ["binary", "modules"].map(|part| format!("linux-{part}-{abi}"));
    // From 6.19 on the image package is an empty shell that depends on its parts.
    let packages = if !record(&image)?.contains(&split[0]) {
        vec![image]
    } else if split.iter().all(|package| record(package).is_some()) {
        split.to_vec()
    } else {
        return None;
    };
    Some(Build { abi: abi.to_owned(), packages })
}

/// The cloud builds of a series among package names, the newest first.
fn builds(series: &str, packages: &str) -> Vec<String> {
    let abi = |line: &str| {
        let abi = line.trim().strip_prefix("linux-image-")?.to_owned();
        let rest = abi.strip_prefix(series)?;
        (rest.starts_with('.') && rest.ends_with("-cloud-amd64")).then_some(abi)
    };
    let mut builds: Vec<String> = packages.lines().filter_map(abi).collect();
    builds.sort_by_key(|abi| std::cmp::Reverse(numbers(abi)));
    builds
}

/// The digit runs of a version: enough to order builds of one series.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mirror, as lines of a package's name and what it depends on.
    fn on(mirror: &str, pinned: &Pinned) -> Result<Build> {
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let names = || Ok(mirror.lines().map(|line| name(line) + "\n").collect());
        available(pinned, names, |package| mirror.lines().find(|line| name(line) == package).map(str::to_owned))
    }

    fn pinned(series: &'static str, abi: &'static str) -> Pinned {
        Pinned { name: series, series, suite: "stable", abi, sha256: "" }
    }

    #[test]
    fn the_newest_build_is_by_number_and_of_the_series_alone() {
        let packages = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-56-cloud-amd64\n\
                        linux-image-6.12.9+deb12-cloud-amd64\nlinux-image-6.12.10+deb12-cloud-amd64\n\
                        linux-image-6.12.99+deb12-amd64\nlinux-image-6.12.99+deb12-cloud-amd64-unsigned\n\
                        linux-image-cloud-amd64\n";
        assert_eq!(builds("6.1", packages), ["6.1.0-56-cloud-amd64", "6.1.0-9-cloud-amd64"]);
        assert_eq!(builds("6.12", packages)[0], "6.12.10+deb12-cloud-amd64");
        assert!(builds("7.3", packages).is_empty());
    }

    #[test]
    fn a_pinned_build_is_taken_as_long_as_it_is_there_and_its_newest_relative_after_that() {
        let mirror = "linux-image-6.1.0-55-cloud-amd64\nlinux-image-6.1.0-57-cloud-amd64\n";
        let build = |abi| on(mirror, &pinned("6.1", abi)).unwrap();
        assert_eq!(build("6.1.0-55-cloud-amd64").packages, ["linux-image-6.1.0-55-cloud-amd64"]);
        assert_eq!(build("6.1.0-56-cloud-amd64").abi, "6.1.0-57-cloud-amd64");
        let none = on(mirror, &pinned("6.2", "6.2.0-1-cloud-amd64")).unwrap_err();
        assert!(none.to_string().contains("stable has no build of 6.2"), "{none}");
    }

    #[test]
    fn a_split_build_of_which_a_part_has_left_is_passed_over() {
        let mirror = "linux-image-7.3.6-cloud-amd64 linux-binary-7.3.6-cloud-amd64\nlinux-binary-7.3.6-cloud-amd64\n\
                      linux-image-7.3.5-cloud-amd64 linux-binary-7.3.5-cloud-amd64\nlinux-binary-7.3.5-cloud-amd64\n\
                      linux-modules-7.3.5-cloud-amd64\n";
        let build = on(mirror, &pinned("7.3", "7.3.6-cloud-amd64")).unwrap();
        let packages = ["linux-binary-7.3.5-cloud-amd64", "linux-modules-7.3.5-cloud-amd64"];
        assert_eq!(
            (build.abi.as_str(), build.packages.as_slice()),
            ("7.3.5-cloud-amd64", &packages.map(str::to_owned)[..])
        );
    }

    #[test]
    fn kernels_come_in_the_tables_order_and_all_by_default() {
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            select(&names).map(|kernels| kernels.iter().map(|kernel| kernel.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["7.3", "6.1"]).unwrap(), ["6.1", "7.3"]);
        assert_eq!(chosen(&[]).unwrap().len(), PINNED.len());
        assert!(chosen(&["2.4"]).unwrap_err().to_string().contains("5.10, 6.1"));
    }
}
