//! The observer run to its end, as a shell would: exit status, stdout, stderr.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::binary;
use crate::deadline::DEADLINE;
use crate::event::Event;

/// What a finished run left.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status, `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Outcome {
    /// Its stdout as events.
    pub fn lines(&self) -> Vec<Event> {
        self.stdout.lines().map(Event::parse).collect()
    }

    /// Events about connections.
    pub fn events(&self) -> Vec<Event> {
        self.lines().into_iter().filter(Event::is_about_connection).collect()
    }

    /// How many events have this cause.
    pub fn count(&self, cause: &str) -> usize {
        self.events().iter().filter(|event| event.cause() == cause).count()
    }

    /// Panics unless it could not run, and said so in one line that names each of `things`.
    #[track_caller]
    pub fn assert_refused(&self, things: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.starts_with("conn-observer: "), "{self:?}");
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "one line: {self:?}");
        for thing in things {
            assert!(self.stderr.contains(thing), "{thing:?} is not named: {self:?}");
        }
    }
}

/// Runs the observer to its end.
pub fn observer(arguments: &[&str]) -> Outcome {
    run(binary::command(arguments))
}

/// Runs the binary with these arguments only, without a hook plan: for sub-commands.
pub fn observer_alone(arguments: &[&str]) -> Outcome {
    let mut command = Command::new(binary::path());
    command.args(arguments);
    run(command)
}

/// Runs the observer with a COMMAND, in front of which come `arguments`.
pub fn observe(arguments: &[&str], command: &[String]) -> Outcome {
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    observer(&[arguments, &["--"], &command].concat())
}

/// Runs any command to its end.
pub fn run(mut command: Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, finished) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = finished.recv_timeout(DEADLINE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let last = finished.recv_timeout(DEADLINE).ok().and_then(Result::ok);
        panic!("{command:?} did not end within {DEADLINE:?}; it said {:?}", last.map(outcome));
    };
    outcome(output.expect("its output"))
}

fn outcome(output: Output) -> Outcome {
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
