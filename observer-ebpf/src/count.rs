//! Totals and statistics: counted before any filter, on the CPU at hand, so they are exact and cheap.

use observer_ebpf::{Stat, Total, TotalKey};

use crate::maps::{STATS, TOTALS};

/// The running CPU's total of a namespace and cause, made on first use. When the map is full, namespaces that are new
/// share one entry under inode 0: the sums stay exact.
#[inline(always)]
pub(crate) fn total(netns: u32, cause: u8) -> Option<&'static mut Total> {
    let mut key = TotalKey { netns, cause: u32::from(cause) };
    let mut found = TOTALS.get_ptr_mut(&key);
    if found.is_none() {
        // BPF_NOEXIST: two CPUs may come here at once, and the second must not wipe the first one's count.
        let _ = TOTALS.insert(&key, &Total::default(), 1);
        found = TOTALS.get_ptr_mut(&key);
    }
    if found.is_none() {
        stat(Stat::TOTALS_FULL);
        key.netns = 0;
        found = TOTALS.get_ptr_mut(&key);
    }
    // SAFETY: per-CPU value, one program at a time.
    found.map(|total| unsafe { &mut *total })
}

/// Counts one of a [`Stat`].
#[inline(always)]
pub(crate) fn stat(slot: u32) {
    if let Some(count) = STATS.get_ptr_mut(slot) {
        // SAFETY: per-CPU value, one program at a time.
        unsafe { *count += 1 };
    }
}
