//! The configuration file. Its keys are the long options, in tables named after the headings of `--help`: what an option
//! takes, how it is checked and explained is said once, where clap is told. Sinks have tables of their own.
//!
//! A file becomes words of a command line; options given there take its place.

mod file;
mod keys;
mod sinks;
mod write;

#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, CommandFactory as _, Parser as _, Subcommand};

use self::file::File;
use super::{Cli, sentence};

/// Where packages put it.
const PATH: &str = "/etc/conn-observer/config.toml";

/// `config …`.
#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether a configuration file can be used; exit status 2 and what is wrong where, if not
    Check(FileArgument),
    /// Print all that is in force with a configuration file, the defaults too, as a configuration file
    Show(FileArgument),
    /// Print a configuration file with every key, explained, at its default
    Default,
}

#[derive(Debug, Args)]
struct FileArgument {
    /// The file
    #[arg(value_name = "FILE", default_value = PATH)]
    file: PathBuf,
}

impl ConfigArguments {
    /// What is to be printed.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(super) fn answer(&self) -> Result<String> {
        match &self.what {
            What::Check(FileArgument { file }) => {
                let cli = parse(&[OsString::from("conn-observer")], file)?;
                cli.options().with_context(|| file.display().to_string())?;
                Ok(format!("{}: ok\n", file.display()))
            }
            What::Show(FileArgument { file }) => {
                let words = [OsString::from("conn-observer")];
                let (words, sinks) = merge(&words, file)?;
                let matches = Cli::command().try_get_matches_from(words).map_err(explain)?;
                write::show(&Cli::command(), &matches, &sinks)
            }
            What::Default => Ok(write::default(&Cli::command())),
        }
    }
}

/// The command line as if the file's options stood in it.
///
/// # Errors
/// When the file cannot be used: names each place in it.
pub(super) fn parse(words: &[OsString], path: &Path) -> Result<Cli> {
    let (words, sinks) = merge(words, path)?;
    let mut cli = Cli::try_parse_from(words).map_err(explain)?;
    if cli.sink.is_empty() {
        cli.sinks = sinks;
    }
    Ok(cli)
}

/// The words of the command line with those of the file before them, and the file's sinks.
fn merge(words: &[OsString], path: &Path) -> Result<(Vec<OsString>, crate::options::Sinks)> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read {}: `conn-observer config default` prints one", path.display()))?;
    let command = Cli::command();
    let given = command.clone().try_get_matches_from(words).map_err(explain)?;
    match File::parse(&text, &command) {
        Ok(file) => {
            let mut merged: Vec<OsString> = words.iter().take(1).cloned().collect();
            merged.extend(file.words(&given));
            merged.extend(words.iter().skip(1).cloned());
            Ok((merged, file.sinks))
        }
        Err(faults) => {
            let lines: Vec<String> = faults.iter().map(|fault| format!("{}:{fault}", path.display())).collect();
            bail!("{}", lines.join("\n"))
        }
    }
}

/// A door for fuzzing: what is accepted are words of a right command line.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) -> bool {
    let command = Cli::command();
    let (text, program) = (String::from_utf8_lossy(bytes), OsString::from(super::NAME));
    let (Ok(file), Ok(given)) = (File::parse(&text, &command), command.clone().try_get_matches_from([&program])) else {
        return false;
    };
    let words: Vec<OsString> = [program].into_iter().chain(file.words(&given)).collect();
    if let Err(error) = Cli::try_parse_from(&words) {
        panic!("{words:?}: {error}");
    }
    words.len() > 1
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn explain(error: clap::Error) -> anyhow::Error {
    anyhow::anyhow!(sentence(&error.render().to_string()))
}
