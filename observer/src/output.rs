//! The stream: a thread that writes batches of whole lines, behind a bounded queue. When it falls behind, the ring
//! fills and the kernel side counts what is lost: nothing is lost here. Beside other sinks, which it must not hold up,
//! its queue holds as much as theirs, and it loses what there is no room for, as they do.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::sync::{mpsc, oneshot};

use crate::{
    delivery::Delivery,
    options::{Destination, Format},
    room::Room,
    sandbox::{self, Confinement},
};

/// Bytes of events that may wait for the writer, about: what waits beyond that, waits in the ring.
const ALONE: u64 = 2 << 20;

/// The same beside sinks, where what waits beyond that is lost.
const BESIDE_SINKS: u64 = 16 << 20;

/// The stream's destination, open.
pub struct Opened {
    file: File,
    /// A file is emptied at the beginning.
    truncates: bool,
    format: Format,
}

/// The stream's destination, with the thread that writes to it.
pub struct Output {
    queue: Queue,
    written: oneshot::Receiver<io::Result<()>>,
    /// A duplicate, to see the other end go away.
    watch: OwnedFd,
}

/// Where batches wait for the writer.
#[derive(Clone)]
pub struct Queue {
    sender: mpsc::UnboundedSender<Waiting>,
    room: Arc<Room>,
}

/// A batch, and the room that it takes.
struct Waiting {
    batch: Arc<Delivery>,
    bytes: u64,
}

/// The writer's end of the queue.
struct Source {
    receiver: Option<mpsc::UnboundedReceiver<Waiting>>,
    room: Arc<Room>,
}

impl Drop for Source {
    /// Whoever waits for room finds that nobody writes any more.
    fn drop(&mut self) {
        self.receiver = None;
        self.room.give(u64::MAX);
    }
}

/// The writer has ended.
#[derive(Debug)]
pub struct Ended;

impl Queue {
    /// How much may wait from now on: alone, or beside sinks.
    pub fn stands(&self, beside_sinks: bool) {
        self.room.resize(if beside_sinks { BESIDE_SINKS } else { ALONE });
    }

    /// Puts a batch in, or not, when there is no room: whether it is in.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn offer(&self, batch: Arc<Delivery>) -> Result<bool, Ended> {
        // Sinks have rendered it.
        let bytes = batch.json().bytes() as u64;
        Ok(self.room.take(bytes) && self.put(batch, bytes).map(|()| true)?)
    }

    /// Puts a batch in; the thread waits for room.
    ///
    /// # Errors
    /// When the writer has ended.
    pub fn send_here(&self, batch: Arc<Delivery>) -> Result<(), Ended> {
        self.check()?;
        let bytes = batch.weight();
        self.room.take_when_there_is(bytes);
        self.put(batch, bytes)
    }

    /// Puts a batch in; the task waits for room. Nobody else may do so meanwhile.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn send(&self, batch: Arc<Delivery>) -> Result<(), Ended> {
        self.check()?;
        let bytes = batch.weight();
        self.room.wait(bytes).await;
        self.room.take(bytes);
        self.put(batch, bytes)
    }

    fn check(&self) -> Result<(), Ended> {
        if self.sender.is_closed() { Err(Ended) } else { Ok(()) }
    }

    fn put(&self, batch: Arc<Delivery>, bytes: u64) -> Result<(), Ended> {
        self.sender.send(Waiting { batch, bytes }).map_err(|_| Ended)
    }
}

impl Opened {
    /// Opens the destination; None when sinks take the events instead. What a file holds stays until
    /// [`Opened::start`]: whoever cannot start destroys nothing.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(destination: &Destination, format: Format) -> Result<Option<Self>> {
        Ok(match destination {
            Destination::Nowhere => None,
            Destination::Stdout => {
                let fd = io::stdout().as_fd().try_clone_to_owned().context("cannot use standard output")?;
                Some(Self { file: File::from(fd), truncates: false, format })
            }
            Destination::File(path) => {
                let file = File::options().create(true).append(true).open(path);
                let file = file.with_context(|| {
                    format!("cannot write to {}: check the folder and its permissions", path.display())
                })?;
                Some(Self { file, truncates: true, format })
            }
        })
    }

    /// Empties a file and starts the thread, under these rules.
    ///
    /// # Errors
    /// When the file cannot be emptied, or there can be no thread under such rules.
    pub fn start(self, rules: Option<Confinement>) -> Result<Output> {
        let Self { file, truncates, format } = self;
        if truncates && file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file.set_len(0).context("cannot empty the output file")?;
        }
        let watch = file.as_fd().try_clone_to_owned().context("cannot duplicate the output")?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let room = Arc::new(Room::new(ALONE));
        let queue = Queue { sender, room: Arc::clone(&room) };
        let mut source = Source { receiver: Some(receiver), room };
        let (done, written) = oneshot::channel();
        let work = move || {
            let mut result = Ok(());
            while let Some(Waiting { batch, bytes }) = source.receiver.as_mut().and_then(|one| one.blocking_recv()) {
                result = match format {
                    Format::Json => write(&file, batch.json().from(0)),
                    Format::Text => write(&file, batch.sentences().from(0)),
                };
                if result.is_err() {
                    break;
                }
                source.room.give(bytes);
            }
            drop(source);
            // Nobody listens any more when the observer has given up waiting.
            let _ = done.send(result);
        };
        sandbox::spawn("output", rules, work).context("cannot start the output thread")?;
        Ok(Output { queue, written, watch })
    }
}

impl Output {
    /// Where batches go.
    #[must_use]
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Whether writing has failed, or the reader of a pipe, socket or terminal has gone away.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        let mut fds = [PollFd::new(&self.watch, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        self.queue.check().is_err()
            || rustix::event::poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(gone)
    }

    /// Closes the queue, which nobody else may hold, and waits until everything is written. A reader that went away is no error.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn finish(self) -> Result<()> {
        drop(self.queue);
        match self.written.await {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Ok(Err(error)) => Err(error).context("cannot write the events"),
        }
    }
}

/// Writes all of a batch, also to a descriptor that somebody has made non-blocking.
fn write(mut file: &File, batch: &[u8]) -> io::Result<()> {
    let mut rest = batch;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                rustix::event::poll(&mut [PollFd::new(&file, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
