//! The bound of a queue, in bytes: taken by whoever puts something in, given back by whoever has dealt with it.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// Room for so many bytes.
#[derive(Debug)]
pub struct Room {
    limit: AtomicU64,
    used: Mutex<u64>,
    /// Rings when some is given back, for the task that waits.
    given: Notify,
    /// The same for the thread that waits.
    bell: Condvar,
}

impl Room {
    /// With all of it free.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit: AtomicU64::new(limit), used: Mutex::new(0), given: Notify::new(), bell: Condvar::new() }
    }

    /// Takes room if there is enough. What is larger than all room fits when nothing else is there.
    pub fn take(&self, bytes: u64) -> bool {
        let mut used = self.used();
        let fits = self.fits(*used, bytes);
        if fits {
            *used = used.saturating_add(bytes);
        }
        fits
    }

    /// Takes room; the thread waits until there is enough.
    pub fn take_when_there_is(&self, bytes: u64) {
        let mut used = self.used();
        while !self.fits(*used, bytes) {
            used = self.bell.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used = used.saturating_add(bytes);
    }

    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fits(&self, used: u64, bytes: u64) -> bool {
        used == 0 || used.saturating_add(bytes) <= self.limit.load(Relaxed)
    }

    /// Waits until there is room for so many bytes. Only one may wait, and only who waits may take.
    pub async fn wait(&self, bytes: u64) {
        self.until(|used| self.fits(used, bytes)).await;
    }

    /// Waits until nothing is left in it.
    pub async fn emptied(&self) {
        self.until(|used| used == 0).await;
    }

    async fn until(&self, is_so: impl Fn(u64) -> bool) {
        // What is given back between the look and the wait is remembered.
        while !is_so(*self.used()) {
            self.given.notified().await;
        }
    }

    /// Room for so many bytes from now on.
    pub fn resize(&self, limit: u64) {
        // Whoever has found it too small is waiting when the lock is free.
        let _used = self.used();
        self.limit.store(limit, Relaxed);
        self.ring();
    }

    /// Gives it back.
    pub fn give(&self, bytes: u64) {
        let mut used = self.used();
        *used = used.saturating_sub(bytes);
        self.ring();
    }

    fn ring(&self) {
        self.given.notify_one();
        self.bell.notify_all();
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
    fn a_thread_waits_for_what_is_given_back_or_for_a_larger_room() {
        let room = Room::new(10);
        room.take_when_there_is(8);
        std::thread::scope(|scope| {
            let wait = |used: u64| {
                let waits = scope.spawn(|| room.take_when_there_is(5));
                std::thread::sleep(std::time::Duration::from_millis(50));
                assert!(!waits.is_finished() && *room.used() == used, "it waits, and has taken nothing");
                waits
            };
            let waits = wait(8);
            room.give(4);
            waits.join().expect("takes it");
            let waits = wait(9);
            room.resize(14);
            waits.join().expect("takes it");
        });
        assert!(!room.take(1));
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
