//! What keeps LLVM from making the kernel's verifier walk further than it must.

use core::arch::asm;

/// Hides a number from LLVM, which would make a branch of what is computed from it: the verifier walks each way of a branch,
/// and two hundred ways of eight.
#[inline(always)]
pub(crate) fn opaque(mut value: u64) -> u64 {
    // An instruction, since the kernel refuses line information without one.
    // SAFETY: a number onto itself.
    unsafe { asm!("{value} = {value}", value = inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    value
}
