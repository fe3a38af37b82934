//! The licences of what is linked in: nearly all of them ask that their text goes along with a binary.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{crates::Crate, program::Library};

/// How the names of such files begin, in upper case.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

const HEAD: &str = "\
Software that is part of this binary, with the licences it is under.

Sources: each crate is at https://crates.io/crates/NAME/VERSION. The program's own sources, with the Cargo.lock that
names every one of these versions, are at {repository}; from them the
program can be linked again with a changed library, as the LGPL wants it for btf-rs and btf-rs-derive.
";

const RULE: &str = "--------------------------------------------------------------------------------";

/// One text for all: first who is under which licence, then each licence text once.
pub(crate) fn document(own: &Crate, crates: &[Crate], libraries: &[Library]) -> Result<String> {
    let mut text = HEAD.replace("{repository}", own.repository.as_deref().unwrap_or_default());
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    text.push('\n');
    for library in libraries {
        writeln!(text, "{} {}: {}", library.name, library.version.as_deref().unwrap_or_default(), library.licence)?;
    }
    for one in crates.iter().filter(|one| one.checksum.is_some()) {
        writeln!(text, "{} {}: {}", one.name, one.version, one.licence)?;
        for file in files(&one.folder)? {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let content = String::from_utf8_lossy(&content).replace('\r', "");
            texts.entry(content.trim_end().to_owned()).or_default().push(format!("{} {}", one.name, one.version));
        }
    }
    for (content, users) in texts {
        write!(text, "\n{RULE}\n{}\n{RULE}\n{content}\n", users.join(", "))?;
    }
    Ok(text)
}

/// The licence files of a crate, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && NAMES.iter().any(|start| name.starts_with(start))
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(licence).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::crates;

    #[test]
    fn every_crate_of_the_program_is_named_and_each_text_stands_once() {
        let (own, others) = crates::of_program("x86_64-unknown-linux-gnu").unwrap();
        let text = document(&own, &others, &[]).unwrap();
        for one in others.iter().filter(|one| one.checksum.is_some()) {
            assert!(text.contains(&format!("\n{} {}: {}\n", one.name, one.version, one.licence)), "{}", one.name);
        }
        assert_eq!(text.matches("Version 2.1, February 1999").count(), 1);
    }
}
