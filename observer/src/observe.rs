//! One run, from attaching to the last line.
//!
//! Its order, each step for a reason:
//! 1. the output opens, so that a bad path fails before anything else;
//! 2. COMMAND is forked and waits, so that its id is known;
//! 3. the hooks are attached, the owners of older connections are looked up, then `started` is written: traffic made
//!    after reading it is seen;
//! 4. COMMAND is released: its first instruction is seen;
//! 5. findings, until a signal, `--count`, `--duration`, COMMAND's end or a closed pipe;
//! 6. the hooks are detached, the ring is drained, the totals are read;
//! 7. the last audits, `loss` and `stopped` are written, the output is flushed;
//! 8. COMMAND, if it still runs, is waited for: its exit status is ours.

use std::{future::pending, pin::pin, process::ExitStatus, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use aya::maps::{MapData, RingBuf};
use rustix::process::Signal;
use tokio::{
    io::{Interest, unix::AsyncFd},
    select,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    audit::Auditor,
    command::{self, Child},
    kernel::{self, Attached, Tally},
    options::Options,
    output::Output,
    procfile, seed,
    signals::{Signals, from_terminal},
    stream::Stream,
};

/// Rendered bytes at which the ring is left alone until they are taken.
const BATCH_BYTES: usize = 256 << 10;

/// How long the last lines may take to be written after a signal.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);

/// How often losses are looked up and the clocks are read.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time between two looks at the ring and the output.
const LONGEST_TICK: Duration = Duration::from_millis(250);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A cause of `--fail-on` was seen.
    pub failed: bool,
    /// Exit status of COMMAND, as a shell tells it.
    pub command: Option<u8>,
}

/// What the loop woke up for.
enum Wake {
    Signal(Signal),
    Ended(ExitStatus),
    Ring,
    Room,
    Deadline,
    Closed,
}

/// Observes as the options say.
///
/// # Errors
/// When it cannot start, or cannot write what it saw.
pub async fn run(options: &Options) -> Result<Outcome> {
    check(options)?;
    let output = match &options.output {
        Some(path) => Output::file(path)?,
        None => Output::stdout()?,
    };
    let mut child = None;
    if options.has_command() {
        child = Some(Child::prepare(&options.command, options.output.is_some())?);
    }
    let signals = Signals::install()?;
    let mut auditor = Auditor::start(options);
    let command = child.as_ref().map(Child::pid);
    let mut attached = kernel::attach(options, command)?;
    // Connections that begin from here on the programs see.
    attached.seed(&seed::sockets().0, &options.filters, command)?;
    // SAFETY: the ring owns its descriptor as long as it lives, and always names that one.
    let ring = unsafe { AsyncFd::register_with_interest(attached.take_ring()?, Interest::READABLE) }
        .map_err(|error| anyhow::Error::msg(error.to_string()))
        .context("cannot wait for the ring buffer")?;
    auditor.begin(attached.has_reasons);
    let reasons = Arc::clone(&attached.reasons);
    let mut stream = Stream::new(options, &reasons);
    stream.started(options, &attached);
    output.begin()?;
    let mut session = Session { options, stream, attached, auditor, ring, child, signals, status: None };
    let followed = session.follow(&output).await;
    let Session { mut stream, mut attached, mut auditor, mut ring, mut child, mut signals, mut status, .. } = session;
    let reason = *followed.as_ref().unwrap_or(&"error");
    auditor.pause(&attached.tally()?);
    attached.detach()?;
    attached.flush_log();
    drain(&mut stream, ring.get_mut());
    let tally = attached.tally()?;
    stream.audits(auditor.finish(&tally));
    stream.stopped(reason, &tally);
    let flushed = flush(stream.take(), output, &mut signals, reason == "signal").await;
    // COMMAND goes on without an observer: its status is still what the caller waits for.
    if let (Some(child), None, true) = (&mut child, status, followed.is_ok()) {
        status = Some(outlast(child, &mut signals).await?);
    }
    followed?;
    flushed?;
    Ok(Outcome { failed: failed(options, &stream, &tally), command: status.map(command::exit_code) })
}

/// Waits for COMMAND. A signal is passed on; a second one ends it.
async fn outlast(child: &mut Child, signals: &mut Signals) -> Result<ExitStatus> {
    let mut last = None;
    loop {
        select! {
            status = child.ended() => return status,
            signal = signals.next() => {
                child.signal(if last.replace(signal).is_some() { Signal::KILL } else { signal });
            }
        }
    }
}

/// Checks that need the system, before anything is started.
fn check(options: &Options) -> Result<()> {
    kernel::preflight()?;
    for pid in &options.filters.pids {
        let Some(process) = procfile::field(format!("/proc/{pid}/status"), "Tgid") else {
            bail!("no process {pid}: --pid wants the id of a running process");
        };
        if process.parse() != Ok(*pid) {
            bail!("{pid} is a thread of process {process}: use --pid {process}");
        }
    }
    if let Some(program) = options.command.first() {
        command::find(program)?;
    }
    Ok(())
}

/// What a run is made of.
struct Session<'a> {
    options: &'a Options,
    stream: Stream<'a>,
    attached: Attached,
    auditor: Auditor,
    ring: AsyncFd<RingBuf<MapData>>,
    child: Option<Child>,
    signals: Signals,
    /// How COMMAND ended.
    status: Option<ExitStatus>,
}

impl Session<'_> {
    /// Step 3 to 5; why it ended.
    async fn follow(&mut self, output: &Output) -> Result<&'static str> {
        let Ok(permit) = output.reserve().await else { return Ok("pipe") };
        permit.send(self.stream.take());
        if let Some(child) = self.child.as_mut() {
            child.release()?;
        }
        let mut tick = ticker(self.options.latency);
        let deadline = self.options.duration.map(|duration| Instant::now() + duration);
        let mut upkeep = Instant::now() + UPKEEP_INTERVAL;
        let mut signalled = false;
        loop {
            let hungry = self.stream.waiting() < BATCH_BYTES;
            let wake = select! {
                biased;
                signal = self.signals.next() => Wake::Signal(signal),
                ended = ended(self.child.as_mut()) => Wake::Ended(ended?),
                () = until(deadline) => Wake::Deadline,
                permit = output.reserve(), if self.stream.waiting() > 0 => match permit {
                    Ok(permit) => {
                        permit.send(self.stream.take());
                        Wake::Room
                    }
                    Err(_) => Wake::Closed,
                },
                ready = self.ring.readable_mut(), if hungry => {
                    ready.context("cannot wait for the ring buffer")?.clear_ready();
                    Wake::Ring
                }
                _ = tick.tick() => Wake::Ring,
            };
            match wake {
                Wake::Signal(signal) => match self.child.as_ref() {
                    // COMMAND decides when it ends; a second signal ends it.
                    Some(child) if !signalled => {
                        signalled = true;
                        if !from_terminal(signal) {
                            child.signal(signal);
                        }
                    }
                    Some(child) => child.signal(Signal::KILL),
                    None => return Ok("signal"),
                },
                Wake::Ended(ended) => {
                    self.status = Some(ended);
                    return Ok("command");
                }
                Wake::Deadline => return Ok("duration"),
                Wake::Closed => return Ok("pipe"),
                Wake::Room => {}
                Wake::Ring => {
                    if hungry {
                        read(&mut self.stream, self.ring.get_mut());
                    }
                    self.attached.flush_log();
                    if output.abandoned() {
                        return Ok("pipe");
                    }
                }
            }
            if self.stream.is_full() {
                return Ok("count");
            }
            if Instant::now() >= upkeep {
                upkeep = Instant::now() + UPKEEP_INTERVAL;
                self.stream.refresh_clock();
                let tally = self.attached.tally()?;
                self.stream.losses(&tally);
                self.auditor.meet(&tally, || self.attached.tally())?;
            }
            if self.auditor.is_due() {
                self.stream.audits(self.auditor.audit(|| self.attached.tally())?);
            }
        }
    }
}

/// Takes what is in the ring, up to a full batch.
fn read(stream: &mut Stream<'_>, ring: &mut RingBuf<MapData>) {
    while stream.waiting() < BATCH_BYTES && !stream.is_full() {
        match ring.next() {
            Some(record) => stream.record(&record),
            None => break,
        }
    }
}

/// Takes all that is in the ring: the hooks are gone, so it ends.
fn drain(stream: &mut Stream<'_>, ring: &mut RingBuf<MapData>) {
    while let Some(record) = ring.next() {
        stream.record(&record);
    }
}

/// Writes the last lines. A slow reader is waited for, until a signal: then it has a few seconds.
async fn flush(lines: Vec<u8>, output: Output, signals: &mut Signals, mut signalled: bool) -> Result<()> {
    let write = async {
        if let Ok(permit) = output.reserve().await {
            permit.send(lines);
        }
        output.finish().await
    };
    let mut write = pin!(write);
    loop {
        let limit = signalled.then(|| Instant::now() + FLUSH_LIMIT);
        select! {
            written = &mut write => return written,
            () = until(limit) => bail!("the reader of the events did not take the last lines within {FLUSH_LIMIT:?}"),
            _ = signals.next() => {
                if signalled {
                    bail!("interrupted before the reader of the events had taken the last lines");
                }
                signalled = true;
            }
        }
    }
}

/// A cause of `--fail-on` passed the filters, or was among those that the ring lost.
fn failed(options: &Options, stream: &Stream<'_>, tally: &Tally) -> bool {
    let wanted = |code: u8| options.fail_on.iter().any(|cause| cause.code() == code);
    stream.has_failed() || tally.totals.iter().any(|entry| entry.total.lost > 0 && wanted(entry.cause))
}

/// Looks at the ring twice per latency bound. With a bound of zero each record wakes the reader, and the tick only
/// watches the output.
fn ticker(latency: Duration) -> Interval {
    let period = if latency.is_zero() { LONGEST_TICK } else { (latency / 2).min(LONGEST_TICK) };
    let mut tick = interval(period.max(Duration::from_millis(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

async fn ended(child: Option<&mut Child>) -> Result<ExitStatus> {
    match child {
        Some(child) => child.ended().await,
        None => pending().await,
    }
}
