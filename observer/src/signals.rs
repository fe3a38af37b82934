//! Signals that end a run, or have it read its configuration again.

use std::future::pending;

use anyhow::{Context as _, Result};
use rustix::{process::Signal, termios::isatty};
use tokio::{
    select,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
};

use crate::procfile;

/// A signal that the terminal has sent to COMMAND as well: both are in its foreground process group.
#[must_use]
pub fn from_terminal(signal: Signal) -> bool {
    signal != Signal::TERM && (isatty(std::io::stdin()) || isatty(std::io::stderr()))
}

/// SIGHUP is ignored (`nohup`): bit 0 of SigIgn.
fn ignores_hangup() -> bool {
    let mask = procfile::field("/proc/self/status", "SigIgn");
    mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok()).is_some_and(|mask| mask & 1 != 0)
}

/// Signals that end a run.
pub struct Signals {
    interrupt: SignalStream,
    terminate: SignalStream,
    /// None when whoever started the observer has it ignored.
    hangup: Option<SignalStream>,
    /// SIGHUP asks for a reload, and ends nothing.
    reloads: bool,
}

impl Signals {
    /// Handles the signals from here on. SIGHUP stays ignored where it is, unless it is to reload something.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn install(reloads: bool) -> Result<Self> {
        let install = |kind| signal(kind).context("cannot handle signals");
        let hangup = if ignores_hangup() && !reloads { None } else { Some(install(SignalKind::hangup())?) };
        let (interrupt, terminate) = (install(SignalKind::interrupt())?, install(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup, reloads })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = hangup(&mut self.hangup) => Signal::HUP,
        }
    }

    /// The next one that ends a run. A wish to reload comes too late by now.
    pub async fn next_end(&mut self) -> Signal {
        loop {
            match self.next().await {
                Signal::HUP if self.reloads => {}
                signal => return signal,
            }
        }
    }
}

async fn hangup(stream: &mut Option<SignalStream>) {
    match stream {
        Some(stream) => drop(stream.recv().await),
        None => pending().await,
    }
}
