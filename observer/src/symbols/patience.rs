//! How long callers may wait in all. Each stack has its own deadline; but where many stacks come that nobody can look up
//! in time, waiting for each of them would hold up everything behind.

use std::time::{Duration, Instant};

/// Waiting that may be done at once: a burst of new programs.
const MOST: Duration = Duration::from_millis(250);

/// One part in so many of all time may be spent waiting.
const SHARE: u32 = 4;

/// Time that callers may still wait.
pub(super) struct Patience {
    left: Duration,
    at: Instant,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: MOST, at: now }
    }

    /// What may be waited now.
    pub(super) fn left(&mut self, now: Instant) -> Duration {
        self.left = (self.left + now.saturating_duration_since(self.at) / SHARE).min(MOST);
        self.at = now;
        self.left
    }

    pub(super) fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_long_waits_less_later() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        assert_eq!(patience.left(start), MOST);
        patience.spend(Duration::from_secs(1));
        assert_eq!(patience.left(start), Duration::ZERO);
        assert_eq!(patience.left(start + Duration::from_millis(40)), Duration::from_millis(10));
        assert_eq!(patience.left(start + Duration::from_secs(60)), MOST);
    }
}
