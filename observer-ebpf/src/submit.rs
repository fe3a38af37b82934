//! A finding goes into the ring, with its stacks behind it.

use core::ptr::addr_of_mut;

use aya_ebpf::{EbpfContext, helpers::bpf_get_stack};
use observer_ebpf::{RECORD_LEN, Record, Stacks, TOP_BYTES, person_flag};

use crate::{count, frozen::setting, maps::EVENTS, task};

const BPF_F_USER_STACK: u64 = 1 << 8;
const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 1 << 1;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// Whether stacks of a kind are recorded.
#[inline(always)]
fn wants(stacks: u32) -> bool {
    setting!(stack_depth) > 0 && setting!(stacks) & stacks != 0
}

/// Offers the record to the ring. A failed reservation is counted under its namespace and cause.
#[inline(always)]
pub(crate) fn submit(ctx: &impl EbpfContext, record: &Record, by_current: bool) {
    // A task that is exiting has given up its memory: there is no user stack to take.
    let user = wants(Stacks::USER) && by_current && record.process.flags & person_flag::EXITING == 0;
    let written = if user || wants(Stacks::KERNEL) { write_with_stacks(ctx, record, user) } else { write(record) };
    if let Some(total) = count::counted(record.endpoints.netns, record.cause) {
        // SAFETY: from a lookup.
        unsafe {
            count::add(&raw mut (*total).submitted, 1);
            if !written {
                count::add(&raw mut (*total).lost, 1);
            }
        }
    }
}

// Two functions, each with its own reservation, null check and submission: verifiers before 6.12 lose track of a
// reservation whose null check LLVM has merged with another ("Unreleased reference").

#[inline(always)]
fn write(record: &Record) -> bool {
    let Some(mut bytes) = EVENTS.reserve_bytes(RECORD_LEN, 0) else { return false };
    // SAFETY: the reservation is RECORD_LEN bytes, aligned to eight.
    unsafe { bytes.as_mut_ptr().cast::<Record>().write(*record) };
    bytes.submit(wake());
    true
}

#[inline(always)]
fn write_with_stacks(ctx: &impl EbpfContext, record: &Record, user: bool) -> bool {
    let stack = 8 * setting!(stack_depth);
    let top_room = if wants(Stacks::USER) && setting!(stack_top) != 0 { TOP_BYTES } else { 0 };
    let user_room = if wants(Stacks::USER) { stack + top_room } else { 0 };
    let kernel_room = if wants(Stacks::KERNEL) { stack } else { 0 };
    let room = RECORD_LEN + (user_room + kernel_room) as usize;
    let Some(mut bytes) = EVENTS.reserve_bytes(room, 0) else { return false };
    let start = bytes.as_mut_ptr();
    let head = start.cast::<Record>();
    // SAFETY: the reservation is RECORD_LEN bytes, aligned to eight, and room for the stacks behind them.
    unsafe {
        head.write(*record);
        addr_of_mut!((*head).stack_room).write(user_room);
        if user {
            let taken = bpf_get_stack(ctx.as_ptr(), start.add(RECORD_LEN).cast(), stack, BPF_F_USER_STACK);
            addr_of_mut!((*head).stack_bytes).write(taken as i32);
            // Frame pointers do not tell who has called a function that has no frame.
            if top_room > 0 && task::copy_stack_top(start.add(RECORD_LEN + stack as usize)) {
                addr_of_mut!((*head).top_bytes).write(top_room);
            }
        }
        if kernel_room > 0 {
            let kernel = start.add(RECORD_LEN + user_room as usize);
            let taken = bpf_get_stack(ctx.as_ptr(), kernel.cast(), kernel_room, 0);
            addr_of_mut!((*head).kernel_stack_bytes).write(taken as i32);
        }
    }
    bytes.submit(wake());
    true
}

/// Waking the reader costs more than everything else here, so it is left to its own clock until much waits.
#[inline(always)]
fn wake() -> u64 {
    let limit = u64::from(setting!(wake_bytes));
    if limit == 0 {
        0 // The kernel wakes a reader that has caught up.
    } else if EVENTS.query(BPF_RB_AVAIL_DATA) >= limit {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    }
}
