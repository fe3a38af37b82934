//! The shared libraries of a program: what an initramfs must hold beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use object::{
    Endianness, elf,
    read::elf::{Dyn as _, FileHeader as _, SectionHeader as _},
};

use crate::process;

/// The library names that the program itself asks for (`DT_NEEDED`).
pub(crate) fn needed(program: &Path) -> Result<Vec<String>> {
    let data = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let data = &*data;
    let names = || -> object::Result<Vec<String>> {
        let header = elf::FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        let mut names = Vec::new();
        for section in sections.iter() {
            let Some((entries, link)) = section.dynamic(endian, data)? else {
                continue;
            };
            let strings = sections.strings(endian, data, link)?;
            for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(elf::DT_NEEDED)) {
                names.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
            }
        }
        Ok(names)
    };
    names().with_context(|| format!("{} is no readable ELF file", program.display()))
}

/// The files that the loader maps for a program, itself among them, by `ldd`.
pub(crate) fn files(program: &Path) -> Result<Vec<PathBuf>> {
    if needed(program)?.is_empty() {
        return Ok(Vec::new());
    }
    let text = process::read_text(Command::new("ldd").arg(program))?;
    Ok(parse(&text))
}

/// Every absolute path in the output of `ldd`: "name => /path (0x…)" and "/lib64/ld-linux… (0x…)".
fn parse(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    text.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vdso_is_no_file_and_the_loader_is_one() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(parse(text), expected.map(PathBuf::from));
    }

    #[test]
    fn this_test_program_needs_the_c_library() {
        let names = needed(&std::env::current_exe().unwrap()).unwrap();
        assert!(names.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
    }
}
