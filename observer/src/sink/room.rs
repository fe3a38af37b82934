//! The bound of a queue, in bytes: taken by whoever puts something in, given back by whoever has dealt with it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// Room for so many bytes.
#[derive(Debug)]
pub(super) struct Room {
    limit: AtomicU64,
    used: Mutex<u64>,
    /// Rings when some is given back.
    given: Notify,
}

impl Room {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit: AtomicU64::new(limit), used: Mutex::new(0), given: Notify::new() }
    }

    /// Takes room if there is enough. What is larger than all room fits when nothing else is there.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = self.fits(*used, bytes);
        if fits {
            *used = used.saturating_add(bytes);
        }
        fits
    }

    fn fits(&self, used: u64, bytes: u64) -> bool {
        used == 0 || used.saturating_add(bytes) <= self.limit.load(Relaxed)
    }

    /// Waits until there is room for so many bytes. Only one may wait, and only who waits may take.
    pub(super) async fn wait(&self, bytes: u64) {
        self.until(|used| self.fits(used, bytes)).await;
    }

    /// Waits until nothing is left in it.
    pub(super) async fn emptied(&self) {
        self.until(|used| used == 0).await;
    }

    async fn until(&self, is_so: impl Fn(u64) -> bool) {
        // What is given back between the look and the wait is remembered.
        while !is_so(*self.used.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.given.notified().await;
        }
    }

    /// Room for so many bytes from now on.
    pub(super) fn resize(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }

    /// Gives it back.
    pub(super) fn give(&self, bytes: u64) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(bytes);
        self.given.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let room = Room::new(10);
        assert!(room.take(6));
        assert!(room.take(4));
        assert!(!room.take(1));
        room.give(4);
        assert!(!room.take(5));
        assert!(room.take(4));
    }

    #[tokio::test]
    async fn who_waits_for_room_is_told_when_some_is_given_back() {
        let room = Room::new(10);
        let waits = async |wait: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            tokio::select! {
                biased;
                () = wait => false,
                () = std::future::ready(()) => true,
            }
        };
        assert!(room.take(8));
        let mut wait = std::pin::pin!(room.wait(5));
        assert!(waits(wait.as_mut()).await, "there is room for two");
        room.give(8);
        wait.await;
        assert!(room.take(5));
        let mut emptied = std::pin::pin!(room.emptied());
        assert!(waits(emptied.as_mut()).await, "five are left");
        room.give(5);
        emptied.await;
        assert!(room.take(10), "all of it is there");
    }

    #[test]
    fn what_is_larger_than_all_room_goes_alone() {
        let room = Room::new(10);
        assert!(room.take(11));
        assert!(!room.take(1));
        room.give(11);
        assert!(room.take(1));
        assert!(!room.take(11));
    }
}
