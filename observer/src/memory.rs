//! What becomes of memory that was freed. The program has an allocator of its own, this library has not: the program tells it
//! how to return free memory to the system.

use std::sync::OnceLock;

static RELEASE: OnceLock<fn()> = OnceLock::new();

/// Names what returns free memory to the system; the first one counts.
pub fn released_by(release: fn()) {
    let _ = RELEASE.set(release);
}

/// Returns free memory to the system, after what was large and does not come again. The allocator would do so by and by, but
/// only while something is allocated.
pub(crate) fn release() {
    if let Some(release) = RELEASE.get() {
        release();
    }
}
