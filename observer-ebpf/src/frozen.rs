//! Values that user space sets before the load. Their map is frozen, so the verifier knows them as constants:
//! an offset makes a plain checked load, and code behind a switched-off setting is removed.

use core::ptr::{addr_of, read_volatile};

use aya_ebpf::Global;
use observer_ebpf::{ABSENT, Layout, REASON_SLOTS, Selection, Settings};

#[unsafe(no_mangle)]
static LAYOUT: Global<Layout> = Global::new(Layout::UNKNOWN);

#[unsafe(no_mangle)]
static SETTINGS: Global<Settings> = Global::new(Settings {
    selection: Selection { filters: 0, causes: 0, storied: 0, min_unread: 0, children: 0 },
    reloadable: 0,
    stacks: 0,
    stack_depth: 0,
    stack_top: 0,
    churn: 0,
    wake_bytes: 0,
    task_access: 0,
    probe_read: 0,
    close_hook: 0,
    reason_arg: ABSENT,
    sock_dead: 0,
    sock_done: 0,
    sock_linger: 0,
    sock_keepopen: 0,
    repair_offset: ABSENT,
    repair_mask: 0,
    owner_mask: 0,
    owner_seed: 0,
});

/// Causes that fit a reset reason, by its number; 0 where the reason says nothing.
#[unsafe(no_mangle)]
static REASON_CAUSES: Global<[u32; REASON_SLOTS]> = Global::new([0; REASON_SLOTS]);

/// The layout's address; only for [`offset`].
#[inline(always)]
pub(crate) fn layout() -> *const Layout {
    addr_of!(LAYOUT).cast()
}

/// The settings' address; only for [`setting`].
#[inline(always)]
pub(crate) fn settings() -> *const Settings {
    addr_of!(SETTINGS).cast()
}

/// Offset of a kernel field, a constant for the verifier.
macro_rules! offset {
    ($field:ident) => {{
        #[allow(unused_unsafe, reason = "some callers are inside an unsafe block")]
        // SAFETY: the address of a field of a static that is always initialised.
        let value = unsafe { core::ptr::read_volatile(&raw const (*$crate::frozen::layout()).$field) };
        value
    }};
}

/// One setting, a constant for the verifier.
macro_rules! setting {
    ($($field:ident).+) => {{
        #[allow(unused_unsafe, reason = "some callers are inside an unsafe block")]
        // SAFETY: the address of a field of a static that is always initialised.
        let value = unsafe { core::ptr::read_volatile(&raw const (*$crate::frozen::settings()).$($field).+) };
        value
    }};
}

pub(crate) use {offset, setting};

/// Whether the tracepoint `tcp_send_reset` carries a reason. Every kernel that has one has it third; user
/// space looked the position up by name and refuses any other.
#[inline(always)]
pub(crate) fn has_reason() -> bool {
    setting!(reason_arg) != ABSENT
}

/// Causes that fit the kernel's reason.
#[inline(always)]
pub(crate) fn reason_causes(reason: u32) -> u32 {
    let table: *const u32 = addr_of!(REASON_CAUSES).cast();
    if reason as usize >= REASON_SLOTS {
        return 0;
    }
    // SAFETY: the index is below the length of the table.
    unsafe { read_volatile(table.add(reason as usize)) }
}
