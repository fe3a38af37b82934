//! Whether a plan is worth loading: what its first hook wants of the kernel, asked in a moment. To load a plan in vain takes
//! all of its maps.

use std::{
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// Asks for a program at the entry of a function, by its id in the kernel's BTF; it does nothing and is not attached.
///
/// # Errors
/// What the kernel says of it.
pub(super) fn fentry(function: u32) -> io::Result<()> {
    const BPF_PROG_LOAD: libc::c_int = 5;
    const BPF_PROG_TYPE_TRACING: u32 = 26;
    const BPF_TRACE_FENTRY: u32 = 24;
    /// `r0 = 0; exit`, as `struct bpf_insn`.
    const NOTHING: [u64; 2] = [0xb7, 0x95];
    /// `union bpf_attr`, as far as the command needs it.
    #[derive(Default)]
    #[repr(C)]
    struct Attributes {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
        prog_btf_fd: u32,
        func_info_rec_size: u32,
        func_info: u64,
        func_info_cnt: u32,
        line_info_rec_size: u32,
        line_info: u64,
        line_info_cnt: u32,
        attach_btf_id: u32,
    }
    let attributes = Attributes {
        prog_type: BPF_PROG_TYPE_TRACING,
        insn_cnt: NOTHING.len() as u32,
        insns: NOTHING.as_ptr().expose_provenance() as u64,
        license: c"Dual MIT/GPL".as_ptr().expose_provenance() as u64,
        expected_attach_type: BPF_TRACE_FENTRY,
        attach_btf_id: function,
        ..Attributes::default()
    };
    let length = size_of::<Attributes>();
    // SAFETY: the kernel reads `length` bytes of `attributes`, and what these point to, which outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, length) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: just opened, owned by nobody else.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// Looks for the source of events by which kprobes are placed (4.17; absent without CONFIG_KPROBE_EVENTS).
///
/// # Errors
/// When it is not there.
pub(super) fn kprobe() -> io::Result<()> {
    fs::metadata("/sys/bus/event_source/devices/kprobe/type").map(drop)
}
