//! What is attached: the observer, and what people use today.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{lines_with, load::Load, scratch, usage};
use crate::{process, workspace};

/// How long a contender may take to begin, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one that says nothing is given to begin.
const SILENT_START: Duration = Duration::from_millis(200);

/// Something that can be attached.
pub(super) struct Contender {
    pub(super) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Words in its output that say that it has begun; none when it says nothing before its first event.
    ready: &'static str,
    /// A word of each line that is an event.
    event: &'static str,
    /// Whether it is ours, and tells losses.
    ours: bool,
}

/// One that is attached.
pub(super) struct Running {
    child: Child,
    output: PathBuf,
    /// Words of an event.
    event: &'static str,
    ours: bool,
    /// From its start until it had begun.
    pub(super) start: Option<Duration>,
}

/// What it told in all.
pub(super) struct Told {
    pub(super) events: u64,
    /// None when it does not tell.
    pub(super) lost: Option<u64>,
}

/// The observer with these options.
fn ours(observer: &Path, name: &str, arguments: Vec<String>) -> Contender {
    Contender {
        name: name.to_owned(),
        program: observer.to_owned(),
        arguments,
        ready: "\"type\":\"started\"",
        event: "\"cause\":",
        ours: true,
    }
}

/// The observer with everything that may make a difference to a connection: filters, and sizes of what it remembers.
pub(super) fn of_scale(observer: &Path, load: &Load) -> Vec<Contender> {
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    let (pid, netns) = (load.pid, load.netns);
    let ports = (1..=500).map(|port| format!("--port {port} ")).collect::<String>();
    [
        ("everything", String::new()),
        ("the load's namespace", format!("--netns {netns}")),
        ("another namespace", "--netns 1".to_owned()),
        ("the load's process", format!("--pid {pid}")),
        (
            "its name, and 99 others",
            (0..99).map(|number| format!("--comm other{number} ")).collect::<String>() + "--comm churn",
        ),
        ("500 other ports", ports),
        ("without churn", "--churn 0".to_owned()),
        ("1,024 owners", "--owners 1024".to_owned()),
        ("1,048,576 owners", "--owners 1048576".to_owned()),
    ]
    .into_iter()
    .map(|(name, options)| ours(observer, name, words(options)))
    .collect()
}

/// All contenders: the observer first, as it is by default; then without what costs; then peers. A quick run has the first
/// one only.
pub(super) fn all(observer: &Path, load: &Load, quick: bool) -> Vec<Contender> {
    let netns = load.netns;
    let ours = |name: &str, more: &[&str]| {
        let words =
            ["--netns", &netns.to_string(), "--cause", "close_unread,linger_zero,data_after_close,data_after_timewait"];
        ours(observer, name, words.iter().chain(more).map(|word| (*word).to_owned()).collect())
    };
    let peer = |name: &str, program: &str, arguments: &[&str], ready: &'static str, event: &'static str| Contender {
        name: name.to_owned(),
        program: workspace::program(program).unwrap_or_else(|| program.into()),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ready,
        event,
        ours: false,
    };
    let mut contenders = vec![ours("conn-observer", &[])];
    if quick {
        return contenders;
    }
    contenders.extend([
        ours("conn-observer --stack none", &["--stack", "none"]),
        peer(
            "bpftrace, tcp_send_reset with ustack",
            "bpftrace",
            &["-e", "tracepoint:tcp:tcp_send_reset { printf(\"reset %s %d %s\\n\", comm, pid, ustack()); }"],
            "Attaching",
            "reset ",
        ),
        peer("tcplife", "tcplife", &[], "PID", "127.0.0."),
        peer("tcpstates", "tcpstates", &[], "SKADDR", "->"),
        // It tells of its own namespace, of both ends; what the closing one had not read is the load's answer.
        peer(
            "ss -E",
            "nsenter",
            &[&format!("--net={}", load.namespace_file().display()), "ss", "-E", "-t", "-n", "-O"],
            "",
            "UNCONN 200 ",
        ),
    ]);
    contenders
}

impl Contender {
    /// Whether it is not ours.
    pub(super) fn is_peer(&self) -> bool {
        !self.ours
    }

    /// Why it cannot be measured here.
    pub(super) fn missing(&self) -> Option<String> {
        (!self.program.exists()).then(|| format!("{} is not on this machine", self.program.display()))
    }

    /// Attaches it.
    ///
    /// # Errors
    /// When it does not begin.
    pub(super) fn start(&self) -> Result<Running> {
        fs::create_dir_all(scratch()).with_context(|| format!("cannot make {}", scratch().display()))?;
        let output = scratch().join("output");
        let file = File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        let begun = Instant::now();
        let mut command = if self.ours {
            Command::new(&self.program)
        } else {
            // They write to people, line by line; to a file they would write when they have 4 KiB.
            let mut command = Command::new("stdbuf");
            command.arg("-oL").arg(&self.program);
            command
        };
        command.args(&self.arguments).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut running = Running { child, output, event: self.event, ours: self.ours, start: None };
        while !fs::read_to_string(&running.output).unwrap_or_default().contains(self.ready) {
            if begun.elapsed() > PATIENCE || running.child.try_wait()?.is_some() {
                bail!("{} has not begun", self.name);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.ready.is_empty() {
            std::thread::sleep(SILENT_START);
        } else {
            running.start = Some(begun.elapsed());
        }
        Ok(running)
    }
}

impl Running {
    /// What it has taken so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn usage(&self) -> Result<usage::Usage> {
        usage::of(self.child.id())
    }

    /// SIGINT; waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) fn stop(mut self) -> Result<Told> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().context("cannot run kill")?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                bail!("a contender does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let lost = self.ours.then(|| lost(&self.output)).transpose()?;
        Ok(Told { events: lines_with(&self.output, self.event)?, lost })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `stopped` says was lost.
fn lost(output: &Path) -> Result<u64> {
    let last = process::read_text(Command::new("tail").args(["-n", "1"]).arg(output))?;
    let stopped: serde_json::Value = serde_json::from_str(&last).context("the observer's last line")?;
    stopped["lost"].as_u64().context("`stopped` tells no losses")
}
