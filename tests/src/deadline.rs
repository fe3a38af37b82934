//! The only bound on waiting: reached, it is a failure; nothing is ever paced by it.

use std::time::{Duration, Instant};

/// How long anything may take before the test fails. Generous, as guests without hardware help are slow.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Gives the processor away until `ready`, and panics with `what` when the deadline passes.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !ready() {
        assert!(Instant::now() < end, "still waiting after {DEADLINE:?}: {what}");
        std::thread::yield_now();
    }
}
