//! The observer as a child process: started, read event by event, stopped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal};

use crate::abort;
use crate::act::Act;
use crate::binary::command;
use crate::deadline::{DEADLINE, until};
use crate::event::Event;
use crate::netns::Netns;
use crate::report::Report;

/// A running observer. Dropped while a test fails, it prints what it had said.
pub struct Observer {
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    seen: Vec<Event>,
    read: usize,
    with_victims: bool,
}

impl Observer {
    /// Starts the observer for one namespace, and returns once it has attached.
    pub fn within(namespace: &Netns, arguments: &[&str]) -> Self {
        let inode = namespace.inode().to_string();
        Self::start(&[&["--netns", &inode], arguments].concat())
    }

    /// Starts the observer with these arguments only, and returns once it has attached.
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(command(arguments))
    }

    /// Starts this command, and returns once the observer has attached.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the observer starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().expect("piped"), Arc::clone(&stderr));
        let lines = lines_of(child.stdout.take().expect("piped"));
        let mut observer = Self { child, lines, stderr, seen: Vec::new(), read: 0, with_victims: false };
        let started = observer.advance();
        observer.read = 1;
        assert_eq!(started.kind(), "started", "the first line: {started:?}");
        observer
    }

    /// Also gives events about RSTs that came in. Without this they are passed over: over loopback each RST has both
    /// sides, and most tests are about the one that acts.
    pub fn with_victims(mut self) -> Self {
        self.with_victims = true;
        self
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The `started` event.
    pub fn started(&self) -> &Event {
        &self.seen[0]
    }

    /// The hook plan in force: `fentry`, `kprobe` or `tracepoint`.
    pub fn plan(&self) -> &str {
        self.started().text("hooks.plan")
    }

    /// Whether the observer itself says that it is blind for something, in words that contain `what`.
    pub fn declares_limit(&self, what: &str) -> bool {
        self.started().at("hooks.coverage").to_string().contains(what)
    }

    /// The next event about a connection.
    pub fn next_event(&mut self) -> Event {
        loop {
            let event = match self.seen.get(self.read) {
                Some(event) => event.clone(),
                None => self.advance(),
            };
            self.read += 1;
            assert_ne!(event.kind(), "stopped", "stopped while an event was awaited");
            if event.is_about_connection() || (self.with_victims && event.is_about_victim()) {
                return event;
            }
        }
    }

    /// The next event of this type; those before it are passed over.
    pub fn next_of_kind(&mut self, kind: &str) -> Event {
        loop {
            let event = match self.seen.get(self.read) {
                Some(event) => event.clone(),
                None => self.advance(),
            };
            self.read += 1;
            assert_ne!(event.kind(), "stopped", "stopped while {kind} was awaited");
            if event.kind() == kind {
                return event;
            }
        }
    }

    /// Events about connections up to and with the first that `last` accepts.
    pub fn events_until(&mut self, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next_event());
            if events.last().is_some_and(&last) {
                return events;
            }
        }
    }

    /// Makes a permitted act and returns all events before it: proof that there is nothing else.
    pub fn events_before_fence(&mut self) -> Vec<Event> {
        self.events_before(&abort::fence())
    }

    /// All events before the one of this act, which was made last.
    pub fn events_before(&mut self, fence: &Act) -> Vec<Event> {
        let mut events = self.events_until(|event| event.is_at(fence));
        events.pop().expect("the fence").assert_is("close_unread", fence);
        // Its peer was reset, which may be told first.
        events.retain(|event| !event.is_about(fence));
        events
    }

    /// The next event, which must tell of this act.
    #[track_caller]
    pub fn expect(&mut self, cause: &str, act: &Act) -> Event {
        let event = self.next_event();
        event.assert_is(cause, act);
        event
    }

    /// Whether it has said this on standard error.
    pub fn has_said(&self, words: &str) -> bool {
        self.stderr.lock().unwrap().contains(words)
    }

    /// Waits until it has said this on standard error.
    pub fn wait_to_hear(&self, words: &str) {
        until(words, || self.has_said(words));
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("signal");
    }

    /// SIGINT; reads to the end; checks exit status and sums.
    pub fn stop(self) -> Report {
        self.signal(Signal::INT);
        self.finish()
    }

    /// Reads to the end an observer that ends by itself; checks exit status and sums.
    pub fn finish(mut self) -> Report {
        while self.seen.last().is_none_or(|event| event.kind() != "stopped") {
            self.advance();
        }
        assert_eq!(
            self.lines.recv_timeout(DEADLINE),
            Err(RecvTimeoutError::Disconnected),
            "`stopped` is the last line"
        );
        assert_eq!(self.wait(), Some(0), "exit status; stderr: {}", self.stderr.lock().unwrap());
        let report = Report { events: std::mem::take(&mut self.seen) };
        let stopped = report.stopped();
        let sums = ["submitted", "received", "lost"].map(|name| stopped.number(name));
        assert_eq!(sums[0], sums[1] + sums[2], "submitted = received + lost: {stopped:?}");
        report
    }

    /// Waits for the exit status; `None` after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        until("the observer to exit", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    fn advance(&mut self) -> Event {
        let line = match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no event within {DEADLINE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the observer ended its output: {:?}", self.wait())
            }
        };
        let event = Event::parse(&line);
        assert_eq!(event.number("seq"), self.seen.len() as u64, "seq has no gap: {event:?}");
        self.seen.push(event.clone());
        event
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() && !self.seen.is_empty() {
            let stderr = self.stderr.lock().map(|said| said.clone()).unwrap_or_default();
            let from = self.seen.len().saturating_sub(20);
            eprintln!("observer's stderr: {stderr}\nits last events: {:#?}", &self.seen[from..]);
        }
    }
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if line.ok().and_then(|line| sender.send(line).ok()).is_none() {
                return;
            }
        }
    });
    lines
}

fn collect(mut stderr: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
}
