//! Whether a plan is worth loading: what its first hook wants of the kernel, asked in a moment. To load a plan in vain takes
//! all of its maps.

use std::{
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// Bytes for what the verifier says of a program that does nothing.
const LOG: usize = 4 << 10;

/// What the kernel says.
pub(super) struct Refusal {
    pub(super) error: io::Error,
    /// Of the verifier.
    pub(super) log: String,
}

/// Asks for a program at the entry of a function, by its id in the kernel's BTF; it does nothing and is not attached.
///
/// # Errors
/// What the kernel says of it, when it says so twice: a signal may come between.
pub(super) fn fentry(function: u32) -> Result<(), Refusal> {
    if load(function, &mut []).is_ok() {
        return Ok(());
    }
    let mut log = vec![0; LOG];
    load(function, &mut log).map_err(|error| {
        log.truncate(log.iter().position(|byte| *byte == 0).unwrap_or(LOG));
        Refusal { error, log: String::from_utf8_lossy(&log).into_owned() }
    })
}

fn load(function: u32, log: &mut [u8]) -> io::Result<()> {
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
        log_level: u32::from(!log.is_empty()),
        log_size: log.len() as u32,
        log_buf: if log.is_empty() { 0 } else { log.as_mut_ptr().expose_provenance() as u64 },
        expected_attach_type: BPF_TRACE_FENTRY,
        attach_btf_id: function,
        ..Attributes::default()
    };
    let length = size_of::<Attributes>();
    // SAFETY: the kernel reads `length` bytes of `attributes` and what these point to, which outlives the call, and writes
    // into the log no more than its size.
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
pub(super) fn kprobe() -> Result<(), Refusal> {
    let source = fs::metadata("/sys/bus/event_source/devices/kprobe/type");
    source.map(drop).map_err(|error| Refusal { error, log: String::new() })
}
