//! `cargo xtask setup`: installs what the other chores need and this machine lacks. Nothing else installs anything but
//! `cargo xtask dist`, whose tools only those need who make packages.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    ebpf::toolchain::{self, Toolchain},
    privilege, process, python, workspace,
};

/// Packages that serve one purpose.
struct Group {
    reason: &'static str,
    /// Each with the program that proves it present, however that got here; else the package database is asked.
    packages: &'static [(&'static str, Option<&'static str>)],
}

const GROUPS: [Group; 9] = [
    Group {
        reason: "booting other kernels",
        packages: &[
            ("qemu-system-x86", Some("qemu-system-x86_64")),
            ("kmod", Some("depmod")),
            ("zstd", Some("zstd")),
            ("lz4", Some("lz4")),
            ("xz-utils", Some("xz")),
            ("debian-archive-keyring", None),
        ],
    },
    Group {
        reason: "clients and servers that the live tests observe",
        packages: &[
            ("golang-go", Some("go")),
            ("nginx", Some("nginx")),
            ("curl", Some("curl")),
            ("python3", Some("python3")),
            ("nodejs", Some("node")),
            ("default-jdk-headless", Some("javac")),
            ("dnsmasq-base", Some("dnsmasq")),
            ("nftables", Some("nft")),
            ("openssl", Some("openssl")),
        ],
    },
    Group {
        reason: "receivers of events, and checkers of what is in deploy/",
        packages: &[
            ("rsyslog", Some("rsyslogd")),
            ("systemd", Some("journalctl")),
            ("prometheus", Some("promtool")),
            ("python3-venv", None),
        ],
    },
    Group {
        reason: "readers of what is printed and recorded",
        packages: &[("sqlite3", Some("sqlite3")), ("jq", Some("jq")), ("lnav", Some("lnav"))],
    },
    Group {
        reason: "what the live tests look at the kernel with",
        packages: &[("iproute2", Some("ip")), ("bpftool", Some("bpftool"))],
    },
    Group { reason: "a terminal for what has a screen", packages: &[("tmux", Some("tmux"))] },
    Group { reason: "building libFuzzer", packages: &[("g++", Some("g++"))] },
    Group {
        reason: "reading man pages and completions",
        packages: &[("groff-base", Some("groff")), ("zsh", Some("zsh")), ("fish", Some("fish"))],
    },
    Group {
        reason: "looking at what `report` makes",
        packages: &[("chromium", Some("chromium")), ("chromium-driver", Some("chromedriver"))],
    },
];

/// Compilers with a ready `core` for BPF: in Debian stable's security archive, and in testing.
const COMPILERS: [&[&str]; 2] =
    [&["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"], &["rustc", "cargo", "libstd-rust-dev-bpf"]];

/// The linker reads the compiler's bitcode, so its LLVM must be as new; these compilers have LLVM 22.
const LLVM: [&str; 2] = ["llvm-22-dev", "libpolly-22-dev"];
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";
const LINKER_VERSION: &str = "0.13.0";

/// Checks licences, bans and sources.
const DENY_VERSION: &str = "0.20.2";

/// Installs what is missing; says nothing when nothing is.
pub(crate) fn run() -> Result<()> {
    for group in &GROUPS {
        let missing = group.packages.iter().filter(|(package, program)| !present(package, *program));
        install(&missing.map(|(package, _)| *package).collect::<Vec<_>>(), group.reason)?;
    }
    python::LIVE.install()?;
    if !toolchain::compiler_present() {
        install(compiler_packages()?, "building the kernel object")?;
    }
    if Toolchain::find(None).is_err() {
        install(&LLVM.into_iter().filter(|package| !installed(package)).collect::<Vec<_>>(), "building bpf-linker")?;
        build_linker()?;
        Toolchain::find(None)?;
    }
    if workspace::program("cargo-deny").is_none() {
        build("cargo-deny", DENY_VERSION, &[], &[])?;
    }
    Ok(())
}

pub(crate) fn present(package: &str, program: Option<&str>) -> bool {
    program.is_some_and(|program| workspace::program(program).is_some()) || installed(package)
}

fn installed(package: &str) -> bool {
    let query = ["--show", "--showformat=${db:Status-Status}", package];
    process::read_text(Command::new("dpkg-query").args(query)).is_ok_and(|status| status == "installed")
}

/// Installs through apt, as root; refreshes the package list once it is clear that something is missing.
pub(crate) fn install(packages: &[&str], reason: &str) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    println!("setup: {} ({reason})", packages.join(" "));
    apt(&["update", "-qq"], &[])?;
    apt(&["install", "-qq", "--yes", "--no-install-recommends"], packages)
}

/// Removes packages that something above has installed for a while.
pub(crate) fn remove(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    apt(&["remove", "-qq", "--yes"], packages)
}

fn apt(words: &[&str], packages: &[&str]) -> Result<()> {
    let Some(program) = workspace::program("apt-get") else {
        bail!("no apt-get here; install by the means of this machine: {}", packages.join(" "));
    };
    let mut command = Command::new(program);
    command.args(words).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    if !privilege::is_root() {
        let Some(sudo) = privilege::sudo() else {
            bail!(
                "changing {} needs root, and there is no sudo here; run `cargo xtask setup` as root",
                packages.join(" ")
            );
        };
        command = privilege::through(sudo, &command);
    }
    // apt and dpkg tell every step of theirs; that matters only when one fails.
    process::read(&mut command).map(drop)
}

/// The first set that this machine's archive has.
fn compiler_packages() -> Result<&'static [&'static str]> {
    apt(&["update", "-qq"], &[])?;
    let has = |package: &&str| process::read(Command::new("apt-cache").args(["show", package])).is_ok();
    match COMPILERS.into_iter().find(|packages| packages.iter().all(has)) {
        Some(packages) => Ok(packages),
        None => bail!(
            "this machine's archive has no compiler for BPF; install a rustup nightly with rust-src: \
             `rustup toolchain install nightly --component rust-src`"
        ),
    }
}

/// Builds the linker of the kernel object.
fn build_linker() -> Result<()> {
    let features = ["--no-default-features", "--features", "llvm-22"];
    build("bpf-linker", LINKER_VERSION, &features, &[("LLVM_PREFIX", LLVM_PREFIX)])
}

/// How they are built: in a quarter of the time, since they run for a second here (and bpf-linker's work is LLVM's).
const UNOPTIMISED: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// Builds a program from the registry for this workspace alone, in `target/tools`.
pub(crate) fn build(krate: &str, version: &str, features: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    println!("setup: {krate} {version}, built in {} (minutes)", workspace::tools_dir().display());
    let mut command = workspace::cargo();
    command.envs(UNOPTIMISED);
    command.args(["install", krate, "--quiet", "--locked", "--version", version]).args(features).arg("--root");
    command.arg(workspace::tools_dir()).envs(environment.iter().copied());
    process::run(&mut command)
}
