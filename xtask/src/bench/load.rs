//! The load: `tests/src/bin/churn.rs`, in network namespaces of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A load that waits for orders.
pub(super) struct Load {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Its process.
    pub(super) pid: u64,
    /// Inode of its first network namespace.
    pub(super) netns: u64,
    /// How many of its namespaces it uses.
    pub(super) namespaces: usize,
    /// How many processes make its connections.
    pub(super) processes: usize,
}

/// One run of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) cycles: u64,
    /// Bad closes among them.
    pub(super) bad: u64,
    pub(super) seconds: f64,
}

impl Measured {
    /// Cycles per second.
    pub(super) fn rate(&self) -> f64 {
        self.cycles as f64 / self.seconds
    }
}

impl Load {
    /// One that has so many namespaces, and uses the first one.
    pub(super) fn start(program: &Path, processor: usize, namespaces: usize) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([processor.to_string(), namespaces.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the load")?;
        let orders = child.stdin.take().context("a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut load = Self { child, orders, answers, pid: 0, netns: 0, namespaces: 1, processes: 1 };
        let answer = load.answer()?;
        load.pid = answer["pid"].as_u64().context("the load told no process")?;
        load.netns = answer["netns"].as_u64().context("the load told no namespace")?;
        Ok(load)
    }

    /// Its first network namespace, as a file: that of one of its threads.
    pub(super) fn namespace_file(&self) -> PathBuf {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let mut files = tasks.map(|task| task.path().join("ns/net"));
        let is_it = |file: &PathBuf| fs::metadata(file).is_ok_and(|namespace| namespace.ino() == self.netns);
        files.find(is_it).unwrap_or_else(|| PathBuf::from("/proc/self/ns/net"))
    }

    pub(super) fn run(&mut self, mode: &str, seconds: f64) -> Result<Measured> {
        writeln!(self.orders, "run {mode} {seconds} {} {}", self.namespaces, self.processes)
            .context("the load has ended")?;
        let answer = self.answer()?;
        let number = |name: &str| answer[name].as_u64().with_context(|| format!("the load told no {name}"));
        Ok(Measured {
            cycles: number("cycles")?,
            bad: number("bad")?,
            seconds: answer["seconds"].as_f64().context("the load told no seconds")?,
        })
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).context("the load has ended")?;
        serde_json::from_str(&line).with_context(|| format!("the load said {line:?}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
