//! Totals and statistics: counted before any filter, on the CPU at hand, so they are exact and cheap.

use observer_ebpf::{Stat, Total, TotalKey};

use crate::maps::{STATS, TOTALS};

/// The running CPU's total of a namespace and cause, made on first use.
#[inline(always)]
pub(crate) fn total(netns: u32, cause: u8) -> Option<&'static mut Total> {
    let key = TotalKey { netns, cause: u32::from(cause) };
    if let Some(total) = TOTALS.get_ptr_mut(&key) {
        // SAFETY: per-CPU value, one program at a time.
        return Some(unsafe { &mut *total });
    }
    // BPF_NOEXIST: two CPUs may come here at once, and the second must not wipe the first one's count.
    let _ = TOTALS.insert(&key, &Total::default(), 1);
    let Some(total) = TOTALS.get_ptr_mut(&key) else {
        stat(Stat::TOTALS_FULL);
        return None;
    };
    // SAFETY: as above.
    Some(unsafe { &mut *total })
}

/// Counts one of a [`Stat`].
#[inline(always)]
pub(crate) fn stat(slot: u32) {
    if let Some(count) = STATS.get_ptr_mut(slot) {
        // SAFETY: per-CPU value, one program at a time.
        unsafe { *count += 1 };
    }
}
