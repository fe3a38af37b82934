//! Random moments. What came out bad is told with the seed that gave it.

use std::hash::{BuildHasher, RandomState};
use std::thread;

/// Numbers that nobody foresees (xorshift).
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Another sequence every time.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let seed = RandomState::new().hash_one(()) | 1;
        Self { seed, state: seed }
    }

    /// One below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % limit
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the seed was {:#x}", self.seed);
        }
    }
}
