//! The terminal: keys in, screens out, and its state given back however it ends.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event as Input},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::isatty,
};

use super::{
    Request, draw,
    input::action,
    model::{Effect, Model, Position},
    recording::Recording,
};
use crate::{
    clock,
    signals::Signals,
    source,
    store::{self, Store},
};

/// Between two readings of the store.
const REFRESH: Duration = Duration::from_secs(1);

/// Reading takes at most one part in so many of the time.
const SHARE: u32 = 4;

/// Longest wait for a key: signals are looked for in between.
const WAIT: Duration = Duration::from_millis(100);

/// Shows it until somebody quits; gives the exit status.
///
/// # Errors
/// When there is no terminal, or nothing to look at.
pub fn run(request: Request) -> Result<u8> {
    if !isatty(io::stdout()) || !isatty(io::stdin()) {
        bail!("top needs a terminal; `conn-observer query` counts the same for files and pipes");
    }
    let ended = ended_by_signal()?;
    let recording = match request.paths.as_slice() {
        [] => Some(Recording::start(|| ended.load(Ordering::Relaxed))?),
        _ => None,
    };
    let paths = recording.as_ref().map_or(request.paths, |recording| vec![recording.store()]);
    let name = match (&recording, paths.as_slice()) {
        (Some(_), _) => "this host".to_owned(),
        (None, [path]) => path.display().to_string(),
        (None, paths) => format!("{} files", paths.len()),
    };
    let position = request.at.map_or(Position::Follow, Position::At);
    let mut view = View {
        store: source::open(&paths)?,
        written: match paths.as_slice() {
            [path] if source::is_store(path)? => Some(path.clone()),
            _ => None,
        },
        model: Model::new(name, request.selection, position),
        recording,
        ended,
    };
    // Also has a panic give the terminal back, before it is told.
    let mut terminal = ratatui::try_init().context("cannot use the terminal")?;
    let shown = view.show(&mut terminal);
    let restored = ratatui::try_restore().context("cannot give the terminal back");
    shown.and(restored).map(|()| 0)
}

struct View {
    store: Store,
    /// The file of the store, where it has one that may be written meanwhile.
    written: Option<PathBuf>,
    model: Model,
    recording: Option<Recording>,
    ended: Arc<AtomicBool>,
}

impl View {
    fn show(&mut self, terminal: &mut DefaultTerminal) -> Result<()> {
        let mut due = Instant::now();
        while !self.ended.load(Ordering::Relaxed) {
            if Instant::now() >= due {
                let began = Instant::now();
                self.read();
                due = began + REFRESH.max(began.elapsed() * SHARE);
                terminal.draw(|frame| draw::draw(frame, &self.model)).context("cannot draw")?;
            }
            let wait = WAIT.min(due.saturating_duration_since(Instant::now()));
            if !is_there(wait)? {
                return Ok(());
            }
            if !event::poll(Duration::ZERO).context("cannot read keys")? {
                continue;
            }
            // Keys that were pressed meanwhile are taken together.
            while is_there(Duration::ZERO)? && event::poll(Duration::ZERO).context("cannot read keys")? {
                let Input::Key(key) = event::read().context("cannot read keys")? else { continue };
                let Some(action) = action(&self.model.mode, key) else { continue };
                let page = draw::page(terminal.get_frame().area());
                match self.model.apply(action, page) {
                    Effect::Quit => return Ok(()),
                    Effect::Read => due = Instant::now(),
                    Effect::Describe => self.describe(),
                    Effect::Draw => {}
                }
            }
            if Instant::now() < due {
                terminal.draw(|frame| draw::draw(frame, &self.model)).context("cannot draw")?;
            }
        }
        Ok(())
    }

    fn describe(&mut self) {
        if let Err(error) = self.model.describe(&self.store) {
            self.model.trouble = Some(format!("{error:#}"));
        }
    }

    /// Reads the store. What goes wrong is shown, and tried again.
    fn read(&mut self) {
        let now = clock::present();
        let live = self.written.as_ref().is_some_and(|path| store::is_written(path));
        let mut read = self.model.read(&self.store, now, live);
        if let (Err(_), Some(path)) = (&read, &self.written) {
            // It may have been set aside, and another one begun.
            read = Store::open(path).and_then(|store| {
                self.store = store;
                self.model.read(&self.store, now, live)
            });
        }
        let told = self.recording.as_ref().and_then(|recording| recording.ended().transpose());
        self.model.trouble = match (read, told) {
            (Err(error), _) | (_, Some(Err(error))) => Some(format!("{error:#}")),
            (_, Some(Ok(told))) => Some(format!("the observer has ended: {told}")),
            _ => None,
        };
    }
}

/// Waits for a key, so long at most. Whether the terminal is still there: crossterm reads one that has gone for ever.
fn is_there(wait: Duration) -> Result<bool> {
    let stdin = io::stdin();
    let mut keys = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
    match poll(&mut keys, Some(&wait)) {
        // A signal: a new size, or the end.
        Err(rustix::io::Errno::INTR) => Ok(true),
        waited => {
            waited.context("cannot wait for keys")?;
            Ok(!keys[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
        }
    }
}

/// Becomes true with the first signal that ends a run.
fn ended_by_signal() -> Result<Arc<AtomicBool>> {
    let ended = Arc::new(AtomicBool::new(false));
    let (told, installed) = mpsc::channel();
    let flag = Arc::clone(&ended);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime.map_err(|error| told.send(Err(error.into()))) else { return };
            runtime.block_on(async {
                match Signals::install(false) {
                    Ok(mut signals) => {
                        let _ = told.send(Ok(()));
                        signals.next_end().await;
                        flag.store(true, Ordering::Relaxed);
                    }
                    Err(error) => drop(told.send(Err(error))),
                }
            });
        })
        .context("cannot handle signals")?;
    installed.recv().context("cannot handle signals")??;
    Ok(ended)
}
