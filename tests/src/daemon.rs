//! The observer as a daemon: nobody reads its standard output, its events go to a file of its own, among other sinks.
//! They are counted as they are read, and not kept: a daemon tells many.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;

use rustix::process::{Pid, Signal};

use crate::abort;
use crate::act::Act;
use crate::binary::command;
use crate::deadline::until;
use crate::event::Event;
use crate::folder::Folder;
use crate::netns::Netns;
use crate::status;
use crate::tail::Tail;

/// A running daemon.
pub struct Daemon {
    child: Child,
    folder: Folder,
    tail: Tail,
    started: Event,
    next_seq: u64,
    causes: BTreeMap<String, u64>,
    losses: Vec<Event>,
    audits: Vec<Event>,
}

/// What a daemon has told when it has ended.
pub struct Told {
    /// Closes and RSTs of this host, by cause.
    pub causes: BTreeMap<String, u64>,
    /// The `loss` events.
    pub losses: Vec<Event>,
    /// The `audit` events.
    pub audits: Vec<Event>,
    /// The last event.
    pub stopped: Event,
    /// What it said on standard error.
    pub stderr: String,
}

impl Daemon {
    /// Starts one for a namespace, and returns once it has attached. Its file is in the folder, with these settings more.
    pub fn within(namespace: &Netns, folder: Folder, settings: &str, arguments: &[&str]) -> Self {
        let path = folder.path().join("events.ndjson");
        let (inode, sink) = (namespace.inode().to_string(), format!("file,path={}{settings}", path.display()));
        let mut child = command(&[&["--netns", &inode, "--sink", &sink], arguments].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the observer starts");
        until("the daemon's file", || path.exists() || child.try_wait().expect("wait").is_some());
        assert!(path.exists(), "{}", said(&mut child));
        let mut tail = Tail::of(&path);
        let started = wait_for(&mut tail);
        assert_eq!(started.kind(), "started", "{started:?}");
        Self {
            child,
            folder,
            tail,
            started,
            next_seq: 1,
            causes: BTreeMap::new(),
            losses: Vec::new(),
            audits: Vec::new(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The `started` event.
    pub fn started(&self) -> &Event {
        &self.started
    }

    /// Where its file is.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("events.ndjson")
    }

    /// Bytes of memory that it has in use.
    pub fn resident(&self) -> u64 {
        status::resident(self.pid())
    }

    /// Closes of this cause that were read so far.
    pub fn count(&self, cause: &str) -> u64 {
        self.causes.get(cause).copied().unwrap_or(0)
    }

    /// Makes so many unread closes, and reads on until the last one is told: never more than that are on their way.
    pub fn burst(&mut self, count: usize) {
        let acts: Vec<Act> = (0..count).map(|_| abort::fence()).collect();
        self.read_until(acts.last().expect("some"));
    }

    /// Reads up to the event of an act.
    pub fn read_until(&mut self, act: &Act) {
        while !self.advance().is_at(act) {}
    }

    /// Makes a close, and another one when something was lost meanwhile, until one is told: the ring has room again.
    pub fn resume(&mut self) {
        loop {
            let act = abort::fence();
            loop {
                let event = self.advance();
                if event.is_at(&act) {
                    return;
                }
                if event.kind() == "loss" {
                    break;
                }
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("signal");
    }

    /// SIGTERM; reads to the end, and checks the exit status and that its file lost nothing.
    pub fn stop(mut self) -> Told {
        self.signal(Signal::TERM);
        let stopped = loop {
            let event = self.advance();
            if event.kind() == "stopped" {
                break event;
            }
        };
        let mut code = None;
        until("the daemon to exit", || {
            code = self.child.try_wait().expect("wait");
            code.is_some()
        });
        let stderr = said(&mut self.child);
        assert_eq!(code.and_then(|status| status.code()), Some(0), "{stderr}");
        Told {
            causes: std::mem::take(&mut self.causes),
            losses: std::mem::take(&mut self.losses),
            audits: std::mem::take(&mut self.audits),
            stopped,
            stderr,
        }
    }

    fn advance(&mut self) -> Event {
        let event = wait_for(&mut self.tail);
        assert_eq!(event.number("seq"), self.next_seq, "its file has every event: {event:?}");
        self.next_seq += 1;
        if event.is_about_connection() {
            *self.causes.entry(event.cause().to_owned()).or_default() += 1;
        }
        match event.kind() {
            "loss" => self.losses.push(event.clone()),
            "audit" => self.audits.push(event.clone()),
            _ => {}
        }
        event
    }
}

impl Told {
    /// Closes of this cause.
    pub fn count(&self, cause: &str) -> u64 {
        self.causes.get(cause).copied().unwrap_or(0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the daemon's stderr: {}", said(&mut self.child));
        }
    }
}

fn wait_for(tail: &mut Tail) -> Event {
    let mut event = None;
    until("an event in the daemon's file", || {
        event = tail.read_event();
        event.is_some()
    });
    event.expect("it")
}

/// All of the standard error of one that has ended: some lines at most, for which the pipe has room.
fn said(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut text);
    }
    text
}
