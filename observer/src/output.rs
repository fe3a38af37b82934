//! The way out: a thread that writes batches of whole lines, behind a bounded queue. When it falls behind, the ring
//! fills and the kernel side counts what is lost: nothing is lost here.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    thread,
};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::sync::{mpsc, oneshot};

/// Batches that may wait for the writer.
const QUEUE: usize = 8;

/// The stream's destination.
pub struct Output {
    sender: mpsc::Sender<Vec<u8>>,
    written: oneshot::Receiver<io::Result<()>>,
    /// A duplicate, to see the other end go away.
    watch: OwnedFd,
}

impl Output {
    /// Writes to standard output.
    ///
    /// # Errors
    /// When its descriptor cannot be duplicated.
    pub fn stdout() -> Result<Self> {
        let fd = io::stdout().as_fd().try_clone_to_owned().context("cannot use standard output")?;
        Self::start(File::from(fd))
    }

    /// Writes to a file, made anew.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn file(path: &Path) -> Result<Self> {
        let file = File::create(path)
            .with_context(|| format!("cannot write to {}: check the folder and its permissions", path.display()))?;
        Self::start(file)
    }

    fn start(mut file: File) -> Result<Self> {
        let watch = file.as_fd().try_clone_to_owned().context("cannot duplicate the output")?;
        let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(QUEUE);
        let (done, written) = oneshot::channel();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let mut result = Ok(());
                while let Some(batch) = receiver.blocking_recv() {
                    result = file.write_all(&batch);
                    if result.is_err() {
                        break;
                    }
                }
                // Nobody listens any more when the observer has given up waiting.
                let _ = done.send(result);
            })
            .context("cannot start the output thread")?;
        Ok(Self { sender, written, watch })
    }

    /// Waits for room, for one batch.
    ///
    /// # Errors
    /// When the writer has ended: its error is in [`Output::finish`].
    pub async fn reserve(&self) -> Result<mpsc::Permit<'_, Vec<u8>>, mpsc::error::SendError<()>> {
        self.sender.reserve().await
    }

    /// Whether the reader of a pipe or socket has gone away.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        let mut fds = [PollFd::new(&self.watch, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&now)).is_ok()
            && fds[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL)
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
