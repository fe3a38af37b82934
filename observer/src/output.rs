//! The stream: a thread that writes batches of whole lines, behind a bounded queue. When it falls behind, the ring
//! fills and the kernel side counts what is lost: nothing is lost here. Beside other sinks, which it must not hold up,
//! it loses what its queue has no room for, as they do.

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
    sandbox::{self, Confinement},
};

/// Batches that may wait for the writer.
const QUEUE: usize = 8;

/// The stream's destination, open.
pub struct Opened {
    file: File,
    /// A file is emptied at the beginning.
    truncates: bool,
    format: Format,
}

/// The stream's destination, with the thread that writes to it.
pub struct Output {
    sender: mpsc::Sender<Arc<Delivery>>,
    written: oneshot::Receiver<io::Result<()>>,
    /// A duplicate, to see the other end go away.
    watch: OwnedFd,
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
        let (sender, mut receiver) = mpsc::channel::<Arc<Delivery>>(QUEUE);
        let (done, written) = oneshot::channel();
        let work = move || {
            let mut result = Ok(());
            while let Some(batch) = receiver.blocking_recv() {
                result = match format {
                    Format::Json => write(&file, batch.json().from(0)),
                    Format::Text => write(&file, batch.sentences().from(0)),
                };
                if result.is_err() {
                    break;
                }
            }
            // Nobody listens any more when the observer has given up waiting.
            let _ = done.send(result);
        };
        sandbox::spawn("output", rules, work).context("cannot start the output thread")?;
        Ok(Output { sender, written, watch })
    }
}

impl Output {
    /// Where batches go.
    #[must_use]
    pub fn sender(&self) -> mpsc::Sender<Arc<Delivery>> {
        self.sender.clone()
    }

    /// Whether writing has failed, or the reader of a pipe, socket or terminal has gone away.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        let mut fds = [PollFd::new(&self.watch, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        self.sender.is_closed()
            || rustix::event::poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(gone)
    }

    /// Closes the queue and waits until everything is written. A reader that went away is no error.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn finish(self) -> Result<()> {
        drop(self.sender);
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
