//! What the guest finds when it boots: PID 1, the programs with their libraries, and under `/vm` what to do.
//!
//! `tests/src/bin/guest-init.rs` is the other end of `/vm`: `modules` and `runs` are lists of names, one per line, in
//! order; `NAME/argv` and `NAME/env` are words, each ended by a NUL; `lockdown` is a level, `timeout` seconds per run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{cpio::Archive, libraries, modules::Module};

/// One program started in the guest.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Without blanks: it is a word in the guest's reports.
    pub(crate) name: String,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

/// Everything that is the same for each kernel.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// PID 1.
    pub(crate) init: PathBuf,
    /// Programs as (file here, path in the guest).
    pub(crate) programs: Vec<(PathBuf, &'static str)>,
    /// Started one after the other.
    pub(crate) runs: Vec<Run>,
    /// A run that takes longer is killed and failed.
    pub(crate) timeout: Duration,
    /// The level to lock the kernel down to before the first run.
    pub(crate) lockdown: Option<String>,
}

/// Accounts and names that the C library wants to look up.
const ETC: [(&str, &str); 5] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/resolv.conf", ""),
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];

/// The archive for one kernel.
pub(crate) fn archive(content: &Content, modules: &[Module]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    // Without these, the guest's C runtime finds no standard streams before /dev is mounted, and gives up.
    archive.device("dev/console", 0o600, 5, 1);
    archive.device("dev/null", 0o666, 1, 3);
    for dir in ["proc", "sys", "run", "tmp", "root", "vm"] {
        archive.directory(dir);
    }
    for (path, text) in ETC {
        archive.file(path, 0o644, text.as_bytes());
    }
    program(&mut archive, &content.init, "init")?;
    for (file, path) in &content.programs {
        program(&mut archive, file, path)?;
    }
    for module in modules {
        archive.file(&format!("vm/ko/{}", module.name), 0o644, &module.content);
    }
    let list = |names: Vec<&str>| names.iter().map(|name| format!("{name}\n")).collect::<String>();
    let names = |modules: &[Module]| list(modules.iter().map(|module| module.name.as_str()).collect());
    archive.file("vm/modules", 0o644, names(modules).as_bytes());
    archive.file("vm/runs", 0o644, list(content.runs.iter().map(|run| run.name.as_str()).collect()).as_bytes());
    archive.file("vm/timeout", 0o644, content.timeout.as_secs().to_string().as_bytes());
    if let Some(level) = &content.lockdown {
        archive.file("vm/lockdown", 0o644, level.as_bytes());
    }
    for run in &content.runs {
        let words = |words: Vec<String>| words.iter().map(|word| format!("{word}\0")).collect::<String>();
        let env = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        archive.file(&format!("vm/{}/argv", run.name), 0o644, words(run.argv.clone()).as_bytes());
        archive.file(&format!("vm/{}/env", run.name), 0o644, words(env).as_bytes());
    }
    Ok(archive.finish())
}

/// A program and the libraries it loads, these where the program looks for them.
fn program(archive: &mut Archive, file: &Path, path: &str) -> Result<()> {
    let read = |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    archive.file(path, 0o755, &read(file)?);
    for library in libraries::files(file)? {
        archive.file(&library.to_string_lossy(), 0o755, &read(&library)?);
    }
    Ok(())
}
