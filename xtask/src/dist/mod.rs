//! `cargo xtask dist [--check]`: the packages of a release, in `target/dist/packages`. docs/packaging.md tells of each.
//!
//! 1. The static program is built, the only step whose result depends on this machine.
//! 2. What goes with it is gathered: files of the tree, and the licences of what is linked in.
//! 3. Tarball, .deb, image, chart and bill of materials are made of that; the same input gives the same bytes.
//! 4. All of them are listed with their SHA-256.

mod archive;
mod chart;
mod check;
mod contents;
mod crates;
mod deb;
mod image;
mod licences;
mod musl;
mod program;
mod release;
mod sbom;
mod sums;
mod tarball;
mod tools;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use self::{
    contents::Content,
    crates::Crate,
    program::{Architecture, Program},
    release::Release,
};
use crate::{digest, tally::Tally, workspace};

/// How packages are made.
#[derive(Args)]
pub(crate) struct Options {
    /// Then check them: install, unpack and run them, validate what is for Kubernetes; as root.
    #[arg(long)]
    check: bool,
    /// Only write deploy/kubernetes/conn-observer.yaml, from the chart.
    #[arg(long, conflicts_with = "check")]
    manifest: bool,
    /// The cargo profile of the program: `quick` is for checks, not for anybody's use.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Package this static program instead of building one.
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    program: Option<PathBuf>,
}

/// Makes the packages, and checks them if asked to.
pub(crate) fn run(options: &Options) -> Result<Tally> {
    if options.manifest {
        tools::for_checking()?;
        let path = workspace::root().join(chart::MANIFEST);
        fs::write(&path, chart::manifest()?).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(Tally::default());
    }
    tools::for_making()?;
    let release = Release::of_this_tree()?;
    let program = match &options.program {
        Some(file) => Program {
            file: file.clone(),
            architecture: Architecture::Amd64,
            target: musl::TARGET,
            libraries: Vec::new(),
        },
        None => tools::with_standard_library(|| musl::build(&options.profile))?,
    };
    let inputs = Inputs::gather(program)?;
    tools::fresh_folder(release::FOLDER)?;
    inputs.make(&release)?;
    println!("dist: {}", release.folder.display());
    if !options.check {
        return Ok(Tally::default());
    }
    tools::for_checking()?;
    check::run(&release, &inputs)
}

/// What packages are made of.
struct Inputs {
    program: Program,
    own: Crate,
    crates: Vec<Crate>,
    contents: Vec<Content>,
}

impl Inputs {
    fn gather(program: Program) -> Result<Self> {
        let (own, crates) = crates::of_program(program.target)?;
        let contents = contents::gather(&program, &own, &crates)?;
        Ok(Self { program, own, crates, contents })
    }

    /// Writes every package into the release's folder.
    fn make(&self, release: &Release) -> Result<()> {
        let Self { program, own, crates, contents } = self;
        let tarball = tarball::name(release, program) + ".tar.gz";
        release.write(&tarball, &tarball::archive(release, program, contents)?)?;
        deb::build(release, program, contents)?;
        release.write(&image::name(release, program), &image::layout(release, program, own, contents)?)?;
        release.write(&chart::name(release), &chart::archive(release)?)?;
        let digest = digest::of_bytes(&program.read()?);
        let bill = sbom::document(own, crates, &program.libraries, &digest, release.epoch)?;
        release.write(&sbom::name(release, program), &bill)?;
        sums::write(release)
    }
}
