//! What the allocator does with memory that was freed. Indexes of files are large and short-lived: by default glibc
//! keeps them for the thread that had them.

/// Has large blocks returned to the system as soon as they are freed. The allocator would else raise the limit with
/// every such block.
pub(super) fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointers and may be called at any time from any thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// Returns what is free in smaller blocks.
pub(super) fn release() {
    #[cfg(target_env = "gnu")]
    // SAFETY: as above.
    unsafe {
        libc::malloc_trim(0);
    }
}
