//! Totals and statistics: counted before any filter, on the CPU at hand. Still by atomic additions: a softirq may
//! interrupt one program and run another one that counts the same.

use core::arch::asm;

use observer_ebpf::{Stat, Total, TotalKey};

use crate::maps::{STATS, TOTALS};

/// The running CPU's total of a namespace and cause, made on first use. When the map is full, namespaces that are new
/// share one entry under inode 0: the sums stay exact.
#[inline(always)]
pub(crate) fn total(netns: u32, cause: u8) -> Option<*mut Total> {
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
    found
}

/// The running CPU's total that [`total`] has counted an act in.
#[inline(always)]
pub(crate) fn counted(netns: u32, cause: u8) -> Option<*mut Total> {
    let mut key = TotalKey { netns, cause: u32::from(cause) };
    TOTALS.get_ptr_mut(&key).or_else(|| {
        key.netns = 0;
        TOTALS.get_ptr_mut(&key)
    })
}

/// Adds to a counter in a map.
///
/// # Safety
/// The counter is a field of a value that a map lookup has given.
#[inline(always)]
pub(crate) unsafe fn add(counter: *mut u64, count: u64) {
    // `core` has no atomic additions for this target; the instruction is as old as BPF.
    // SAFETY: aligned, and alive as long as the map.
    unsafe { asm!("lock *(u64 *)({counter} + 0) += {count}", counter = in(reg) counter, count = in(reg) count) };
}

/// Counts one act without a finding.
#[inline(always)]
pub(crate) fn act(netns: u32, cause: u8) {
    count_act(netns, u32::from(cause));
}

/// [`act`] as a global function: see [`crate::tell`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count_act(netns: u32, cause: u32) -> u32 {
    let cause = cause as u8;
    if let Some(total) = total(netns, cause) {
        // SAFETY: from a lookup.
        unsafe { add(&raw mut (*total).acts, 1) };
    }
    0
}

/// Counts one of a [`Stat`].
#[inline(always)]
pub(crate) fn stat(slot: u32) {
    if let Some(count) = STATS.get_ptr_mut(slot) {
        // SAFETY: from a lookup.
        unsafe { add(count, 1) };
    }
}
