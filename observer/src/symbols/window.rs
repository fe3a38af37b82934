//! What a thread has read of files lately, and how much more it may read. An allowance bounds the time that any file, also
//! a hostile one, can take: every loop of the parsers reads.

use std::{
    cell::RefCell,
    fs::File,
    os::unix::fs::FileExt as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// Bytes in a window: one read of a disk's usual read-ahead is 128 KiB, but lookups jump.
const SIZE: usize = 16 << 10;

/// Windows of a thread: 1 MiB.
const COUNT: usize = 64;

/// A file that windows show parts of.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    id: u64,
}

impl Disk {
    pub(super) fn new(file: File) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { file, id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

#[derive(Default)]
struct Window {
    disk: u64,
    index: u64,
    bytes: Vec<u8>,
}

struct Desk {
    windows: Vec<Window>,
    allowance: u64,
}

thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(Desk { windows: Vec::new(), allowance: u64::MAX }) };
}

/// Lets this thread read so many bytes until the guard is dropped.
pub(super) fn allow(bytes: u64) -> Allowance {
    DESK.with_borrow_mut(|desk| Allowance { before: std::mem::replace(&mut desk.allowance, bytes) })
}

/// See [`allow`].
pub(super) struct Allowance {
    before: u64,
}

impl Drop for Allowance {
    fn drop(&mut self) {
        DESK.with_borrow_mut(|desk| desk.allowance = self.before);
    }
}

/// Forgets what this thread has read.
pub(super) fn clear() {
    DESK.with_borrow_mut(|desk| desk.windows = Vec::new());
}

/// Counts a read against the allowance; None when it is used up.
pub(super) fn charge(bytes: usize) -> Option<()> {
    DESK.with_borrow_mut(|desk| desk.charge(bytes))
}

/// Fills the buffer with what a file holds at an offset; None when the file ends before, or the allowance does.
pub(super) fn read(disk: &Disk, at: u64, buffer: &mut [u8]) -> Option<()> {
    DESK.with_borrow_mut(|desk| {
        desk.charge(buffer.len())?;
        let mut at = at;
        let mut rest = buffer;
        while !rest.is_empty() {
            let window = desk.window(disk, at / SIZE as u64)?;
            let shown = window.bytes.get((at % SIZE as u64) as usize..).filter(|shown| !shown.is_empty())?;
            let (now, later) = rest.split_at_mut(shown.len().min(rest.len()));
            now.copy_from_slice(shown.get(..now.len())?);
            at = at.checked_add(now.len() as u64)?;
            rest = later;
        }
        Some(())
    })
}

impl Desk {
    fn charge(&mut self, bytes: usize) -> Option<()> {
        // One more, so that reading nothing for ever ends too.
        self.allowance = self.allowance.checked_sub(bytes as u64 + 1)?;
        Some(())
    }

    fn window(&mut self, disk: &Disk, index: u64) -> Option<&Window> {
        if self.windows.is_empty() {
            self.windows.resize_with(COUNT, Window::default);
        }
        // Neighbours of a file lie in neighbouring slots; the factor spreads files.
        let slot = (disk.id.wrapping_mul(11).wrapping_add(index) % COUNT as u64) as usize;
        let window = self.windows.get_mut(slot)?;
        if window.disk != disk.id || window.index != index {
            window.disk = 0;
            window.bytes.resize(SIZE, 0);
            let len = fill(&disk.file, index * SIZE as u64, &mut window.bytes)?;
            window.bytes.truncate(len);
            (window.disk, window.index) = (disk.id, index);
        }
        Some(window)
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &File, at: u64, buffer: &mut [u8]) -> Option<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::super::area::Area;
    use super::*;

    #[test]
    fn an_allowance_ends_every_loop() {
        let area = Area::memory(vec![0; 10]);
        let guard = allow(100);
        let reads = (0..).take_while(|_| area.u8(3).is_some()).count();
        assert_eq!(reads, 50, "each costs its byte and one more");
        assert_eq!((0..).take_while(|_| area.read(3, &mut []).is_some()).count(), 0);
        drop(guard);
        assert_eq!(area.u8(3), Some(0), "others are not bound by it");
    }
}
