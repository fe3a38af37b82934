//! `cargo xtask bench`: what observing costs, against peers, side by side.
//!
//! One load runs all the time on one processor; in turn nothing is attached and one contender is, so that each pair of
//! runs has the same noise. What is told are medians and ranges of the ratios of such pairs, never absolute times alone.

mod contender;
mod load;
mod table;
mod usage;

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use self::{contender::Contender, load::Load, table::Row};
use crate::{artifacts, privilege};

/// What is measured, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// A short run of the observer alone that fails when one event in twenty is lost, and on gross regressions of a
    /// ratio, of what an event or a start takes, and of memory.
    #[arg(long)]
    quick: bool,
    /// Measure instead what filters, sizes, processes and network namespaces make of the cost of a connection.
    #[arg(long, conflicts_with = "quick")]
    scale: bool,
    /// Pairs of runs per contender and mode.
    #[arg(long, default_value_t = 7)]
    pairs: usize,
    /// Seconds of each run.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Loads: clean, unread, linger-zero, late, mixed:PERCENT.
    #[arg(long, value_delimiter = ',', default_value = "clean,mixed:1,unread")]
    modes: Vec<String>,
    /// Contenders, by a part of their names; all that this machine has by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// What a quick run takes for a gross regression: far below what docs/performance.md tells, for on a machine that others use
/// as well a pair of runs may differ by half without any cause of ours.
const LEAST: [(&str, f64); 3] = [("clean", 0.50), ("mixed:1", 0.45), ("unread", 0.35)];

/// What a quick run takes for a gross regression of what an event takes of a processor, and a start of time: both as so many
/// times what one connection of this load takes when nothing is attached, since absolute times are another matter on each
/// machine. docs/performance.md has 0.4, and up to 11,000.
const MOST_EVENT: f64 = 1.5;
const MOST_START: f64 = 40_000.0;

/// The same for memory, MiB: after the start with no events, and with a flood of them; there 31 and 47.
const MOST_MEMORY: [(&str, f64); 2] = [("clean", 48.0), ("unread", 96.0)];

/// What a quick run takes for too many losses: more than one in so many.
const LOST_ONE_IN: u64 = 20;

/// Processor of the load; contenders go where the kernel puts them.
const PROCESSOR: usize = 0;

/// Network namespaces in use, for how much they matter.
const NAMESPACES: [usize; 4] = [1, 10, 100, 1_000];

/// Processes that make connections, likewise.
const PROCESSES: [usize; 3] = [10, 100, 1_000];

impl Options {
    fn wants(&self, contender: &Contender) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| contender.name.contains(part.as_str()))
    }

    /// What CI can afford.
    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            scale: false,
            pairs: 3,
            seconds: 1.0,
            modes: LEAST.iter().map(|(mode, _)| (*mode).to_owned()).collect(),
            only: Vec::new(),
        }
    }
}

/// Measures and prints a table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let quick = Options::quick();
    let options = if options.quick { &quick } else { options };
    if !privilege::is_root() {
        bail!("attaching needs root: run this as root");
    }
    let [observer, churn] = artifacts::release([artifacts::OBSERVER, artifacts::CHURN])?;
    println!("{}\n", usage::machine());
    println!("{}", table::HEAD);
    if options.scale {
        return scale(&observer, &churn, options);
    }
    let mut load = Load::start(&churn, PROCESSOR, 1)?;
    let contenders = contender::all(&observer, &load, options.quick);
    let mut failures = Vec::new();
    for contender in contenders.iter().filter(|contender| options.wants(contender)) {
        if let Some(why) = contender.missing() {
            println!("| {} | not measured: {why} |", contender.name);
            continue;
        }
        for mode in &options.modes {
            let row = match measure(contender, mode, &mut load, options) {
                Ok(row) => row,
                // A peer that this kernel does not take says nothing about us.
                Err(error) if contender.is_peer() => {
                    println!("| {} | not measured: {error:#} |", contender.name);
                    break;
                }
                Err(error) => return Err(error),
            };
            println!("{row}");
            failures.extend(options.quick.then(|| failure(&row)).flatten());
        }
    }
    if !options.quick {
        println!("\n{}", idle(&contenders[0])?);
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

/// Filters and sizes, then namespaces and processes.
fn scale(observer: &Path, churn: &Path, options: &Options) -> Result<()> {
    let mut load = Load::start(churn, PROCESSOR, NAMESPACES[NAMESPACES.len() - 1])?;
    let mut contenders = contender::of_scale(observer, &load);
    for contender in contenders.iter().filter(|contender| options.wants(contender)) {
        for mode in &options.modes {
            println!("{}", measure(contender, mode, &mut load, options)?);
        }
    }
    let mut everything = contenders.swap_remove(0);
    let mut row = |name: String, load: &mut Load| -> Result<()> {
        everything.name = name;
        if options.wants(&everything) {
            for mode in &options.modes {
                println!("{}", measure(&everything, mode, load, options)?);
            }
        }
        Ok(())
    };
    for count in NAMESPACES {
        load.namespaces = count;
        row(format!("{count} namespaces"), &mut load)?;
    }
    // Each has the files of the first one: not those of a thousand namespaces.
    drop(load);
    let mut load = Load::start(churn, PROCESSOR, 1)?;
    for count in PROCESSES {
        load.processes = count;
        row(format!("{count} processes"), &mut load)?;
    }
    Ok(())
}

/// Pairs of runs, with nothing attached and with this contender.
fn measure(contender: &Contender, mode: &str, load: &mut Load, options: &Options) -> Result<Row> {
    let mut row = Row::of(&contender.name, mode);
    for _ in 0..options.pairs {
        let alone = load.run(mode, options.seconds)?;
        let running = contender.start()?;
        // The first events are read, files are opened, symbols are looked up.
        let warm = load.run(mode, 0.2)?;
        let before = running.usage()?;
        let observed = load.run(mode, options.seconds)?;
        // What is on its way is part of it.
        std::thread::sleep(Duration::from_millis(300));
        let after = running.usage()?;
        let start = running.start;
        let told = running.stop()?;
        row.add([&alone, &warm, &observed], [before, after], start, &told);
    }
    Ok(row)
}

/// What of a row is a failure of a quick run.
fn failure(row: &Row) -> Option<String> {
    let least = LEAST.iter().find(|(mode, _)| *mode == row.mode).map_or(0.0, |(_, least)| *least);
    // A reader that gets no processor for a moment loses some; on a quiet machine it is none.
    if row.lost() * LOST_ONE_IN > row.truth {
        return Some(format!("{}: {} of {} events were lost", row.mode, row.lost(), row.truth));
    }
    let ratio = row.ratio();
    if ratio < least {
        return Some(format!("{}: {ratio:.2} of the throughput is left, less than {least}", row.mode));
    }
    let most = MOST_MEMORY.iter().find(|(mode, _)| *mode == row.mode).map_or(f64::INFINITY, |(_, most)| *most);
    if row.peak_mib > most {
        return Some(format!("{}: {:.1} MiB resident, more than {most}", row.mode, row.peak_mib));
    }
    // With few events it is mostly what runs by the clock.
    let event = row.event().filter(|event| row.mode == "unread" && *event > MOST_EVENT);
    if let Some(event) = event {
        return Some(format!(
            "{}: an event takes {event:.2} times what a connection takes, more than {MOST_EVENT}",
            row.mode
        ));
    }
    let start = row.start().filter(|start| *start > MOST_START)?;
    Some(format!("{}: a start takes as long as {start:.0} connections, more than {MOST_START}", row.mode))
}

/// What the observer takes when nothing happens.
fn idle(contender: &Contender) -> Result<String> {
    const TIME: Duration = Duration::from_secs(10);
    let running = contender.start()?;
    let before = running.usage()?;
    std::thread::sleep(TIME);
    let after = running.usage()?;
    running.stop()?;
    let share = (after.seconds - before.seconds) / TIME.as_secs_f64() * 100.0;
    Ok(format!("Idle: {share:.2} % of a processor, {:.1} MiB resident at most.", after.peak_mib))
}

/// Where the output of contenders goes.
fn scratch() -> std::path::PathBuf {
    crate::workspace::target_dir().join("bench")
}

/// Lines of a file that contain a word: there may be gigabytes.
fn lines_with(path: &Path, word: &str) -> Result<u64> {
    let output = Command::new("grep").args(["-c", "-F", "-e", word]).arg(path).output().context("cannot run grep")?;
    // Its exit status says whether there are any.
    String::from_utf8_lossy(&output.stdout).trim().parse().context("grep counted nothing")
}
