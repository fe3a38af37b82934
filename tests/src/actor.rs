//! A process under observation: this very executable, run again with `--act`, so that a guest needs no further binary.
//!
//! It waits for a line on stdin, plays it (see [`crate::role`]), and answers with what it did; so an observer can be
//! started between its birth and its act.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::act::Act;

/// The first argument that turns the test binary into an actor.
pub const FLAG: &str = "--act";

/// The actor's process name.
pub const COMM: &str = "act-leader";

/// A running actor.
pub struct Actor {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts one in this thread's namespace and waits until it has its name.
    pub fn spawn() -> Self {
        let mut child = command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an actor");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut actor = Self { child, stdin, stdout };
        actor.play("nothing");
        actor
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it play `line` and returns what it has done (or, for a role that ends it, is about to do).
    pub fn play(&mut self, line: &str) -> Vec<Act> {
        self.begin(line);
        self.finish(line)
    }

    /// Lets it begin with `line`; [`Self::finish`] must follow.
    pub fn begin(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the actor listens");
    }

    /// What it has done of `line`.
    pub fn finish(&mut self, line: &str) -> Vec<Act> {
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).expect("the actor answers");
        let acts: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{line}: the actor said {answer:?}"));
        acts.as_array().expect("a list").iter().map(|act| Act::from_json(act).expect("an act")).collect()
    }

    /// Plays `line` that makes exactly one act.
    pub fn play_one(&mut self, line: &str) -> Act {
        let acts = self.play(line);
        assert_eq!(acts.len(), 1, "{line}: {acts:?}");
        acts[0].clone()
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Waits for the end it was told to come to.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("wait")
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of an actor that plays `script` at once and ends, to be run by the observer: roles separated by
/// `then`, such as `unread 100 then exit 7`.
pub fn script(script: &str) -> Vec<String> {
    let executable = std::env::current_exe().expect("our path").to_str().expect("UTF-8").to_owned();
    [executable, FLAG.to_owned()].into_iter().chain(script.split(' ').map(str::to_owned)).collect()
}

fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("our path"));
    command.arg(FLAG);
    command
}
