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
    /// A file is emptied at the beginning.
    truncates: bool,
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

    /// Writes to a file. What it holds stays until [`Output::begin`]: whoever cannot start destroys nothing.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn file(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file =
            file.with_context(|| format!("cannot write to {}: check the folder and its permissions", path.display()))?;
        Ok(Self { truncates: true, ..Self::start(file)? })
    }

    /// Empties a file, before the first line.
    ///
    /// # Errors
    /// When the file cannot be emptied.
    pub fn begin(&self) -> Result<()> {
        let watch = File::from(self.watch.try_clone().context("cannot duplicate the output")?);
        if self.truncates && watch.metadata().is_ok_and(|metadata| metadata.is_file()) {
            watch.set_len(0).context("cannot empty the output file")?;
        }
        Ok(())
    }

    fn start(file: File) -> Result<Self> {
        let watch = file.as_fd().try_clone_to_owned().context("cannot duplicate the output")?;
        let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(QUEUE);
        let (done, written) = oneshot::channel();
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let mut result = Ok(());
                while let Some(batch) = receiver.blocking_recv() {
                    result = write(&file, &batch);
                    if result.is_err() {
                        break;
                    }
                }
                // Nobody listens any more when the observer has given up waiting.
                let _ = done.send(result);
            })
            .context("cannot start the output thread")?;
        Ok(Self { sender, written, watch, truncates: false })
    }

    /// Waits for room, for one batch.
    ///
    /// # Errors
    /// When the writer has ended: its error is in [`Output::finish`].
    pub async fn reserve(&self) -> Result<mpsc::Permit<'_, Vec<u8>>, mpsc::error::SendError<()>> {
        self.sender.reserve().await
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
