//! One run, from attaching to the last line.
//!
//! Its order, each step for a reason:
//! 1. the output opens, so that a bad path fails before anything else;
//! 2. COMMAND is forked and waits, so that its id is known;
//! 3. the hooks are attached, the owners of older connections are looked up: whatever takes a privilege;
//! 4. privileges are given up ([`Sandbox`]), and only then threads are started: they inherit what is left;
//! 5. `started` is written: traffic made after reading it is seen;
//! 6. COMMAND is released: its first instruction is seen;
//! 7. systemd is told that the service is ready, once that line is on its way;
//! 8. findings, until a signal, `--count`, `--duration`, COMMAND's end or a closed pipe;
//! 9. the hooks are detached, the ring is drained, the totals are read;
//! 10. the last verdicts on churn, the last audits, `loss` and `stopped` are written, the output is flushed;
//! 11. COMMAND, if it still runs, is waited for: its exit status is ours.

mod reload;
mod rings;

use std::{
    future::{pending, ready},
    pin::pin,
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use aya::maps::{MapData, RingBuf};
use rustix::process::Signal;
use tokio::{
    io::unix::AsyncFd,
    select,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use self::rings::{BATCH_BYTES, drain, drain_dns, drain_lives, filled, read, wakeable};
use crate::{
    attribute::{Stage, Work},
    audit::Auditor,
    churn::{Verdicts, Windows},
    command::{self, Child},
    kernel::{self, Attached, Tally},
    memory,
    notify::Notifier,
    options::{Destination, Options},
    output, procfile,
    sandbox::{Account, Needs, Sandbox},
    seed,
    signals::{Signals, from_terminal},
    sink,
    stream::{Batch, Stream},
    vitals::{Report, Vitals},
};

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
    Heartbeat,
}

/// Observes as the options say.
///
/// `again` reads the options again, for SIGHUP with a configuration file.
///
/// # Errors
/// When it cannot start, or cannot write what it saw.
pub async fn run(mut options: Options, again: &dyn Fn() -> Result<Options>) -> Result<Outcome> {
    let options = &mut options;
    check(options)?;
    let account = options.user.as_deref().map(Account::find).transpose()?;
    let output = output::Opened::open(&options.output, options.format)?;
    let notifier = Notifier::from_environment();
    let vitals = Vitals::default();
    let sinks = Account::opening(account.as_ref(), || sink::Opened::open(&options.sinks, &vitals))?;
    let mut child = None;
    if options.has_command() {
        child = Some(Child::prepare(&options.command, options.output != Destination::Stdout)?);
    }
    let signals = Signals::install(options.config.is_some())?;
    let mut auditor = Auditor::start(options);
    let command = child.as_ref().map(Child::pid);
    let mut attached = kernel::attach(options, command)?;
    // Connections that begin from here on the programs see.
    attached.seed(&seed::sockets(&options.filters.netns).0, &options.filters, command)?;
    let ring = wakeable(attached.take_ring()?)?;
    let lives = attached.take_lives()?;
    let dns = attached.take_dns()?.map(wakeable).transpose()?;
    auditor.begin(attached.has_reasons);
    let reasons = Arc::clone(&attached.reasons);
    let needs = Needs::of(options, command);
    let sandbox = Sandbox::enter(options.sandbox, account.as_ref(), &needs, || attached.tally().is_ok())?;
    let output = output.map(|output| output.start(sandbox.rules()?)).transpose()?;
    let mut stage = Stage::start(options, output, sinks.start(sandbox.rules()?)?, sandbox.rules()?)?;
    let mut stream = Stream::new(options, &reasons);
    stream.started(options, &attached, sandbox.state);
    memory::release(); // what reading the kernel's types has taken
    let churn = Windows::begin(options);
    let mut session = Session {
        options,
        again,
        stream,
        attached,
        auditor,
        churn,
        ring,
        lives,
        dns,
        child,
        signals,
        notifier,
        status: None,
        vitals: vitals.clone(),
    };
    let followed = session.follow(&mut stage).await;
    session.notifier.stopping();
    let Session {
        options,
        mut stream,
        mut attached,
        mut auditor,
        mut churn,
        mut ring,
        mut lives,
        mut dns,
        mut child,
        mut signals,
        mut status,
        ..
    } = session;
    let reason = *followed.as_ref().unwrap_or(&"error");
    auditor.pause(&attached.tally()?);
    attached.detach()?;
    vitals.detached();
    attached.flush_log();
    drain(&mut stream, ring.get_mut(), &mut lives);
    drain_dns(&mut stream, dns.as_mut().map(AsyncFd::get_mut));
    let tally = attached.tally()?;
    if churn.are_wanted() {
        stream.churn(churning(&mut churn, &mut attached, &tally, true)?);
    }
    stream.audits(auditor.finish(&tally));
    stream.sink_losses(&stage.ledger().read());
    stream.stopped(reason, &tally);
    let flushed = flush(stream.take(), stage, &mut signals, reason == "signal").await;
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
            signal = signals.next_end() => {
                child.signal(if last.replace(signal).is_some() { Signal::KILL } else { signal });
            }
        }
    }
}

/// Checks that need the system, before anything is started.
fn check(options: &Options) -> Result<()> {
    kernel::preflight()?;
    check_processes(options)?;
    if let Some(program) = options.command.first() {
        command::find(program)?;
    }
    Ok(())
}

/// Whether the named processes are there.
fn check_processes(options: &Options) -> Result<()> {
    for pid in &options.filters.pids {
        let Some(process) = procfile::field(format!("/proc/{pid}/status"), "Tgid") else {
            bail!("no process {pid}: --pid wants the id of a running process");
        };
        if process.parse() != Ok(*pid) {
            bail!("{pid} is a thread of process {process}: use --pid {process}");
        }
    }
    Ok(())
}

/// What a run is made of.
struct Session<'a> {
    options: &'a mut Options,
    again: &'a dyn Fn() -> Result<Options>,
    stream: Stream<'a>,
    attached: Attached,
    auditor: Auditor,
    churn: Windows,
    ring: AsyncFd<RingBuf<MapData>>,
    lives: RingBuf<MapData>,
    dns: Option<AsyncFd<RingBuf<MapData>>>,
    child: Option<Child>,
    signals: Signals,
    notifier: Notifier,
    /// How COMMAND ended.
    status: Option<ExitStatus>,
    vitals: Vitals,
}

impl Session<'_> {
    /// Step 5 to 8; why it ended.
    async fn follow(&mut self, stage: &mut Stage) -> Result<&'static str> {
        let Ok(permit) = stage.reserve().await else { return Ok("pipe") };
        permit.send(Work::Batch(self.stream.take()));
        let mut told = stage.mark().await;
        let tally = self.attached.tally()?;
        self.report(tally);
        if let Some(child) = self.child.as_mut() {
            child.release()?;
        }
        let mut tick = ticker(self.options.latency);
        let deadline = self.options.duration.map(|duration| Instant::now() + duration);
        let mut upkeep = Instant::now() + UPKEEP_INTERVAL;
        let mut signalled = false;
        let mut left = false;
        loop {
            let hungry = self.stream.waiting() < BATCH_BYTES;
            let wake = select! {
                biased;
                signal = self.signals.next() => Wake::Signal(signal),
                ended = ended(self.child.as_mut()) => Wake::Ended(ended?),
                () = until(deadline) => Wake::Deadline,
                permit = stage.reserve(), if self.stream.waiting() > 0 => match permit {
                    Ok(permit) => {
                        permit.send(Work::Batch(self.stream.take()));
                        Wake::Room
                    }
                    Err(_) => Wake::Closed,
                },
                () = ready(()), if hungry && left => Wake::Ring,
                ready = filled(Some(&mut self.ring)), if hungry => {
                    ready?;
                    Wake::Ring
                }
                ready = filled(self.dns.as_mut()), if hungry => {
                    ready?;
                    Wake::Ring
                }
                _ = tick.tick() => Wake::Ring,
                () = until(self.notifier.due().map(Instant::from_std)) => Wake::Heartbeat,
            };
            match wake {
                Wake::Signal(Signal::HUP) if self.options.config.is_some() => self.reload(stage).await?,
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
                Wake::Room | Wake::Heartbeat => {}
                Wake::Ring => {
                    if hungry {
                        left = read(&mut self.stream, self.ring.get_mut(), &mut self.lives);
                        drain_dns(&mut self.stream, self.dns.as_mut().map(AsyncFd::get_mut));
                    }
                    self.attached.flush_log();
                    if stage.abandoned() {
                        return Ok("pipe");
                    }
                }
            }
            if self.stream.is_full() {
                return Ok("count");
            }
            if told.try_recv().is_ok() {
                self.notifier.ready();
            }
            self.notifier.beat();
            if Instant::now() >= upkeep {
                upkeep = Instant::now() + UPKEEP_INTERVAL;
                self.stream.refresh_clock();
                let tally = self.attached.tally()?;
                self.stream.losses(&tally);
                self.stream.sink_losses(&stage.ledger().read());
                self.notifier.status(self.stream.summary());
                self.auditor.meet(&tally, || self.attached.tally())?;
                self.report(tally);
            }
            if self.auditor.is_due() {
                self.stream.audits(self.auditor.audit(|| self.attached.tally())?);
            }
            if self.churn.is_due() {
                let tally = self.attached.tally()?;
                let verdicts = churning(&mut self.churn, &mut self.attached, &tally, false)?;
                // Of the processes that they are about.
                drain_lives(&mut self.stream, &mut self.lives);
                self.stream.churn(verdicts);
            }
        }
    }

    /// Tells other threads how it goes.
    fn report(&self, tally: Tally) {
        let (received, malformed) = self.stream.received();
        let plan = self.attached.plan;
        self.vitals.report(Report {
            time: Instant::now().into_std(),
            plan,
            attached: true,
            received,
            malformed,
            tally,
        });
    }
}

/// The verdicts on the window of connections that ends now.
fn churning(windows: &mut Windows, attached: &mut Attached, tally: &Tally, last: bool) -> Result<Verdicts> {
    Ok(windows.slide(attached.take_churn()?, tally.uncounted, last))
}

/// Writes the last lines. A slow reader is waited for, until a signal: then it has a few seconds.
async fn flush(last: Batch, stage: Stage, signals: &mut Signals, mut signalled: bool) -> Result<()> {
    let write = async {
        if let Ok(permit) = stage.reserve().await {
            permit.send(Work::Batch(last));
        }
        stage.finish().await
    };
    let mut write = pin!(write);
    loop {
        let limit = signalled.then(|| Instant::now() + FLUSH_LIMIT);
        select! {
            written = &mut write => return written,
            () = until(limit) => bail!("the reader of the events did not take the last lines within {FLUSH_LIMIT:?}"),
            _ = signals.next_end() => {
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
