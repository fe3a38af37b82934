//! Builds the observer as one static program: x86_64, musl, position-independent.
//!
//! The standard library for this target comes from rustup (`rustup target add x86_64-unknown-linux-musl`), or else it is
//! compiled along from the sources that Debian ships (`rust-web-src`): then Debian's musl is what is linked.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::program::{Architecture, Library, Program};
use crate::{artifacts, ebpf::toolchain, process, workspace};

/// Rust's name for what is built.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Compiles C for this target, in crates that bring some; build scripts look for the variable.
const C_COMPILER: (&str, &str) = ("CC_x86_64_unknown_linux_musl", "musl-gcc");

/// Flags for it: paths in debugging information.
const C_FLAGS: &str = "CFLAGS_x86_64_unknown_linux_musl";

/// Flags for all crates of this target, not for build scripts.
const FLAGS: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS";

/// Where Debian keeps musl.
const MUSL: &str = "/usr/lib/x86_64-linux-musl";

/// What the unwinder lacks in musl.
const UNWINDER: &str = "packaging/musl/unwinder.c";

/// How the standard library comes.
enum Standard {
    /// Compiled, with musl and the files that start a program beside it.
    Ready,
    /// As sources: cargo and rustc that can build it.
    Sources { cargo: PathBuf, rustc: PathBuf },
}

/// Whether the standard library is here, in either form.
pub(crate) fn standard_library_present() -> bool {
    find().is_ok()
}

/// Builds with this cargo profile, and says what else is in the program.
pub(crate) fn build(profile: &str) -> Result<Program> {
    let (mut command, rustc, flags, musl) = match find()? {
        Standard::Ready => {
            let mut command = workspace::cargo();
            command.arg("build").env(FLAGS, remap("--remap-path-prefix"));
            (command, default_rustc(), Vec::new(), None)
        }
        Standard::Sources { cargo, rustc } => {
            let mut command = Command::new(cargo);
            command.current_dir(workspace::root()).env("RUSTC", &rustc).env_remove("RUSTUP_TOOLCHAIN");
            command.env("RUSTC_BOOTSTRAP", "1").args(["rustc", "-Z", "build-std=std,panic_abort"]);
            // musl is none of the compiler's own files.
            command.env(FLAGS, format!("-Clink-self-contained=no {}", remap("--remap-path-prefix")));
            (command, rustc, debian_link()?, Some(debian_musl()?))
        }
    };
    command.args(["--locked", "--profile", profile, "--target", TARGET]).env(C_COMPILER.0, C_COMPILER.1);
    command.env(C_FLAGS, remap("-ffile-prefix-map"));
    // A directory of its own: with another compiler, cargo would build everything anew each time.
    command.env("CARGO_TARGET_DIR", workspace::target_dir().join("dist/build"));
    let file = artifacts::observer_by(&mut command, &flags)?;
    let libraries = vec![
        Library { name: "rust-std", version: rust_version(&rustc)?, licence: "MIT OR Apache-2.0" },
        Library { name: "musl", version: musl, licence: "MIT" },
    ];
    Ok(Program { file, architecture: Architecture::Amd64, target: TARGET, libraries })
}

fn default_rustc() -> PathBuf {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

fn find() -> Result<Standard> {
    let library = |rustc: &Path| {
        let mut command = Command::new(rustc);
        command.args(["--print", "target-libdir", "--target", TARGET]);
        process::read_text(&mut command).map(|path| PathBuf::from(path.trim()))
    };
    if library(&default_rustc()).is_ok_and(|folder| folder.is_dir()) {
        return Ok(Standard::Ready);
    }
    let sources = |rustc: &Path| {
        let sysroot = process::read_text(Command::new(rustc).args(["--print", "sysroot"]))?;
        anyhow::Ok(Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std"))
    };
    let mut compilers = toolchain::compilers().into_iter();
    match compilers.find(|(_, rustc)| sources(rustc).is_ok_and(|folder| folder.is_dir())) {
        Some((cargo, rustc)) => Ok(Standard::Sources { cargo, rustc }),
        None => bail!(
            "no standard library for {TARGET}: `rustup target add {TARGET}`, or on Debian \
             `apt-get install rustc-web cargo-web rust-web-src musl-tools`"
        ),
    }
}

/// What Debian's gcc needs to link with musl, as rustc does not know:
/// 1. gcc links, since musl-gcc has no `-static-pie`, but with none of gcc's start files, which are glibc's;
/// 2. musl's start files come first, its closing ones last, gcc's within them;
/// 3. musl's libraries are found before glibc's;
/// 4. the unwinder is gcc's, under the name that rustc has for it, with what it lacks in musl;
/// 5. what gcc makes of C may call gcc's own functions, as jemalloc's counting of bits does.
fn debian_link() -> Result<Vec<String>> {
    let folder = workspace::target_dir().join("dist/unwinder");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let object = folder.join("unwinder.o");
    let mut compile = Command::new(C_COMPILER.1);
    compile.args(["-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-c", "-o"]).arg(&object);
    process::read(compile.arg(workspace::root().join(UNWINDER)))?;
    let script = folder.join("libunwind.a");
    fs::write(&script, format!("INPUT({})\n", file_of_gcc("libgcc_eh.a")?))
        .with_context(|| format!("cannot write {}", script.display()))?;
    Ok(vec![
        "-Clinker=gcc".to_owned(),
        "-Clink-arg=-nostartfiles".to_owned(),
        format!("-Zpre-link-arg={MUSL}/rcrt1.o"),
        format!("-Zpre-link-arg={MUSL}/crti.o"),
        format!("-Zpre-link-arg={}", file_of_gcc("crtbeginS.o")?),
        format!("-Zpre-link-arg={}", object.display()),
        format!("-Lnative={MUSL}"),
        format!("-Lnative={}", folder.display()),
        format!("-Clink-arg={}", file_of_gcc("libgcc.a")?),
        format!("-Clink-arg={}", file_of_gcc("crtendS.o")?),
        format!("-Clink-arg={MUSL}/crtn.o"),
    ])
}

/// The same bytes wherever the clone and the registry lie: the option of a compiler that replaces the start of a path.
fn remap(option: &str) -> String {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    let cargo = env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from);
    format!("{option}={}=. {option}={}=cargo", workspace::root().display(), cargo.display())
}

/// The path of a file of gcc's; gcc repeats the name when it has none.
fn file_of_gcc(name: &str) -> Result<String> {
    let path = process::read_text(Command::new("gcc").arg(format!("-print-file-name={name}")))?.trim().to_owned();
    if path == name {
        bail!("gcc has no {name}: `apt-get install gcc`");
    }
    Ok(path)
}

fn rust_version(rustc: &Path) -> Result<Option<String>> {
    let text = process::read_text(Command::new(rustc).arg("--version"))?;
    Ok(text.split_whitespace().nth(1).map(str::to_owned))
}

fn debian_musl() -> Result<String> {
    let query = ["--show", "--showformat=${Version}", "musl-dev"];
    process::read_text(Command::new("dpkg-query").args(query)).context("musl-dev is not installed")
}
