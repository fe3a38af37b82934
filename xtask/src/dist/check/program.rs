//! The static program by itself.

use std::{fs, os::unix::process::ExitStatusExt as _, process::Command};

use anyhow::{Context as _, Result, bail};
use object::{
    Endianness, elf,
    read::elf::{FileHeader as _, ProgramHeader as _},
};

use super::{Subject, exists, expected_version};
use crate::{
    dist::{contents, tarball, tools},
    process,
    vm::libraries,
};

pub(super) fn is_static(subject: &Subject<'_>) -> Result<()> {
    let program = &subject.inputs.program;
    let needed = libraries::needed(&program.file)?;
    if !needed.is_empty() {
        bail!("{} needs {}", program.file.display(), needed.join(", "));
    }
    let bytes = program.read()?;
    let header = elf::FileHeader64::<Endianness>::parse(&*bytes)?;
    let endian = header.endian()?;
    if header.program_headers(endian, &*bytes)?.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP) {
        bail!("{} wants a loader", program.file.display());
    }
    if header.e_type(endian) != elf::ET_DYN {
        bail!("{} is not position-independent", program.file.display());
    }
    Ok(())
}

pub(super) fn runs_from_tarball(subject: &Subject<'_>) -> Result<()> {
    let name = tarball::name(subject.release, &subject.inputs.program);
    let folder = tools::fresh_folder("unpacked")?;
    let archive = subject.release.folder.join(format!("{name}.tar.gz"));
    process::read(Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(&folder))?;
    let folder = folder.join(name);
    for content in &subject.inputs.contents {
        exists(&folder, &content.path)?;
    }
    let program = folder.join(contents::PROGRAM);
    let version = process::read_text(Command::new(&program).arg("--version"))?;
    if version != expected_version(subject.release) {
        bail!("{} says it is {version}", program.display());
    }
    // With the variable set, an error takes a backtrace, hence the unwinder, which musl has to be told of.
    let missing = folder.join("no-such-btf");
    let mut command = Command::new(&program);
    command.args(["doctor", "--btf"]).arg(&missing).env("RUST_BACKTRACE", "1");
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    if output.status.code() != Some(2) {
        bail!("an error with a backtrace ended with {:?}, signal {:?}", output.status.code(), output.status.signal());
    }
    fs::metadata(&missing).is_err().then_some(()).context("the file that must be missing is there")
}
