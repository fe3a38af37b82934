//! `man`: pages made from the very arguments that are parsed, and from what `manual` says.

use std::{io, path::PathBuf};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Inline, Roff, bold, italic, roman},
};

use super::{Cli, NAME, Task, manual};
use crate::cause::Cause;

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Write all pages into this folder instead, which must exist
    #[arg(long, value_name = "FOLDER", conflicts_with = "page")]
    dir: Option<PathBuf>,
    /// The page of this sub-command
    #[arg(value_name = "SUBCOMMAND")]
    page: Vec<String>,
}

impl ManArguments {
    /// The page to print or the pages to write.
    pub(super) fn task(self) -> Result<Task> {
        let root = command();
        if let Some(folder) = self.dir {
            let mut pages = Vec::new();
            collect(&root, &mut pages).context("cannot make the man pages")?;
            return Ok(Task::Write { folder, files: pages });
        }
        let mut chosen = &root;
        for word in &self.page {
            chosen = chosen
                .get_subcommands()
                .find(|command| command.get_name() == word)
                .ok_or_else(|| anyhow!("there is no sub-command {word}: see --help"))?;
        }
        page(chosen).context("cannot make the man page").map(Task::Print)
    }
}

/// The command line as pages describe it: complete, and without the sub-command that only prints help.
fn command() -> Command {
    let usage = format!("{NAME} [OPTION]... [-- COMMAND...]\n{NAME} SUBCOMMAND");
    let mut command = Cli::command().disable_help_subcommand(true).override_usage(usage).about(manual::BRIEF);
    command.build();
    command
}

/// The pages of a command and all below it, with their file names.
fn collect(command: &Command, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    pages.push((Man::new(command.clone()).get_filename(), page(command)?));
    command.get_subcommands().try_for_each(|command| collect(command, pages))
}

/// One page. What `--help` shows after the options are sections here.
fn page(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let is_main = command.get_name() == NAME;
    let mut text = Vec::new();
    title(man.get_filename().trim_end_matches(".1")).to_writer(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    if is_main {
        description().to_writer(&mut text)?;
    } else {
        man.render_description_section(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let sections = if is_main { sections() } else { see_also(&["conn-observer(1)"]) };
    sections.to_writer(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The heading. `Man` leaves an empty date out, and what follows it moves up; a date would change without the page.
fn title(name: &str) -> Roff {
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    roff.control("TH", [name, "1", "\"\"", &source, "User Commands"]);
    roff
}

fn description() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for (index, paragraph) in manual::DESCRIPTION.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(marked(paragraph));
    }
    roff
}

/// What follows the options on the main page.
fn sections() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["CAUSES"]);
    for (name, meaning) in causes() {
        entry(&mut roff, [bold(name)], marked(&meaning));
    }
    roff.control("PP", []).text(marked(manual::SILENT_CAUSES));
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in manual::EXIT_STATUS {
        entry(&mut roff, [bold(*status)], marked(meaning));
    }
    roff.control("PP", []).text(marked(manual::EXIT_STATUS_OF_COMMAND));
    roff.control("SH", ["FILES"]);
    for (path, purpose) in manual::FILES {
        entry(&mut roff, [italic(*path)], marked(purpose));
    }
    roff.control("SH", ["EXAMPLES"]);
    for (line, effect) in manual::EXAMPLES {
        entry(&mut roff, [bold(*line)], marked(effect));
    }
    roff.extend([see_also(manual::SEE_ALSO)]);
    roff
}

fn see_also(pages: &[&str]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
    roff
}

fn entry(roff: &mut Roff, term: [Inline; 1], text: Vec<Inline>) {
    roff.control("TP", []).text(term).text(text);
}

/// Every cause with its documentation, as the schema has it.
fn causes() -> Vec<(String, String)> {
    let schema = schemars::schema_for!(Cause);
    let choices = schema.get("oneOf").and_then(|choices| choices.as_array());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().replace('\n', " ");
    choices.into_iter().flatten().map(|choice| (text(&choice["const"]), text(&choice["description"]))).collect()
}

/// What stands between backticks becomes bold.
fn marked(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { roman(part) } else { bold(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Vec<(String, String)> {
        let mut pages = Vec::new();
        collect(&command(), &mut pages).unwrap();
        pages
    }

    #[test]
    fn every_sub_command_has_a_page_and_the_main_page_names_it() {
        let pages = pages();
        let (first, main) = &pages[0];
        assert_eq!(first, "conn-observer.1");
        for command in command().get_subcommands() {
            let title = format!("conn-observer-{}", command.get_name());
            assert!(pages.iter().any(|(name, _)| *name == format!("{title}.1")), "{title}");
            assert!(main.contains(&format!("{}(1)", title.replace('-', "\\-"))), "{title}");
        }
    }

    #[test]
    fn the_main_page_has_every_option_and_every_cause() {
        let (_, main) = &pages()[0];
        for argument in command().get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(main.contains(&format!("\\-\\-{}", argument.replace('-', "\\-"))), "--{argument}");
        }
        assert_eq!(causes().len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert!(main.contains(&format!("\\fB{cause}\\fR")), "{cause}");
        }
        for section in ["CAUSES", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO"] {
            assert!(main.contains(section), "{section}");
        }
    }

    #[test]
    fn a_page_is_asked_for_by_the_words_of_its_command() {
        let ask = |words: &[&str]| {
            let page = words.iter().map(|word| (*word).to_owned()).collect();
            ManArguments { dir: None, page }.task()
        };
        let Ok(Task::Print(doctor)) = ask(&["doctor"]) else { panic!("no page") };
        assert!(doctor.contains(".TH conn-observer-doctor 1"), "{doctor}");
        assert!(ask(&["surgeon"]).unwrap_err().to_string().contains("surgeon"));
    }

    #[test]
    fn what_stands_between_backticks_is_bold() {
        assert_eq!(marked("a `b` c"), [roman("a "), bold("b"), roman(" c")]);
    }
}
