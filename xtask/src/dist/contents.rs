//! What the packages hold, and where it goes below a prefix such as `/usr`. The .deb has a table of its own, in
//! `observer/Cargo.toml`, as cargo-deb wants it; `--check` compares the two.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{crates::Crate, licences, program::Program};
use crate::workspace;

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Below the prefix, or below the root when it begins with `etc/`.
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reader: Reader,
}

/// Who needs a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Whoever runs the program or passes it on, so that an image has it too.
    Everybody,
    /// People and systemd, on a host.
    Host,
}

impl Content {
    /// Its path on a machine where the prefix is `/usr`, without the slash at the beginning.
    pub(crate) fn installed(&self) -> String {
        if self.path.starts_with("etc/") { self.path.clone() } else { format!("usr/{}", self.path) }
    }
}

/// The program's own path below the prefix.
pub(crate) const PROGRAM: &str = "bin/conn-observer";

/// The licences of what is linked in, which no file of the tree has.
pub(crate) const THIRD_PARTY: &str = "share/doc/conn-observer/THIRD-PARTY";

/// Generated man pages.
const MAN: &str = "docs/man";

/// Files of the tree and their places.
const FILES: [(&str, &str, Reader); 10] = [
    ("packaging/config.toml", "etc/conn-observer/config.toml", Reader::Everybody),
    ("packaging/systemd/conn-observer.service", "lib/systemd/system/conn-observer.service", Reader::Host),
    ("packaging/systemd/conn-observer.sysusers", "lib/sysusers.d/conn-observer.conf", Reader::Host),
    ("packaging/completions/conn-observer.bash", "share/bash-completion/completions/conn-observer", Reader::Host),
    ("packaging/completions/_conn-observer", "share/zsh/vendor-completions/_conn-observer", Reader::Host),
    ("packaging/completions/conn-observer.fish", "share/fish/vendor_completions.d/conn-observer.fish", Reader::Host),
    ("LICENSE-APACHE", "share/doc/conn-observer/LICENSE-APACHE", Reader::Everybody),
    ("LICENSE-MIT", "share/doc/conn-observer/LICENSE-MIT", Reader::Everybody),
    ("README.md", "share/doc/conn-observer/README.md", Reader::Host),
    ("CHANGELOG.md", "share/doc/conn-observer/CHANGELOG.md", Reader::Host),
];

/// All files, the program first.
pub(crate) fn gather(program: &Program, own: &Crate, crates: &[Crate]) -> Result<Vec<Content>> {
    let path = PROGRAM.to_owned();
    let mut contents = vec![Content { path, mode: 0o755, bytes: program.read()?, reader: Reader::Everybody }];
    let mut add = |path: &str, bytes: Vec<u8>, reader: Reader| {
        contents.push(Content { path: path.to_owned(), mode: 0o644, bytes, reader });
    };
    for (source, path, reader) in FILES {
        add(path, read(source)?, reader);
    }
    for page in man_pages()? {
        let section = page.rsplit('.').next().unwrap_or_default();
        add(&format!("share/man/man{section}/{page}"), read(&format!("{MAN}/{page}"))?, Reader::Host);
    }
    add(THIRD_PARTY, licences::document(own, crates, &program.libraries)?.into_bytes(), Reader::Everybody);
    Ok(contents)
}

/// The names of the man pages.
fn man_pages() -> Result<Vec<String>> {
    let folder = workspace::root().join(MAN);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut pages: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    pages.sort();
    if pages.is_empty() {
        bail!("{} is empty; run `cargo xtask docs`", folder.display());
    }
    Ok(pages)
}

fn read(path: &str) -> Result<Vec<u8>> {
    let path = workspace::root().join(path);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}
