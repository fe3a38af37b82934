//! Two ways to read kernel memory with an offset from BTF. Both serve the same code, so that a close means the
//! same whichever hook saw it.

use core::{
    arch::asm,
    ffi::c_void,
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::{
    helpers::{bpf_probe_read_kernel, bpf_skc_to_tcp_sock},
    macros::map,
    maps::Array,
};

use crate::frozen::layout;

/// The address of the layout, as a number.
#[map]
static BASE: Array<u64> = Array::with_max_entries(1, 0);

/// One instruction, whatever LLVM would make of it: of addresses the verifier allows a difference and nothing else.
#[inline(always)]
fn distance(mut address: u64, base: u64) -> u64 {
    // SAFETY: of numbers.
    unsafe {
        asm!(
            "{address} -= {base}",
            address = inout(reg) address,
            base = in(reg) base,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    address
}

/// A way to read kernel memory.
pub(crate) trait Reader {
    /// Loads a `T` at `base + offset`.
    ///
    /// # Safety
    /// `base` is a pointer that this reader may follow and `offset` comes from BTF, for a field of `T`'s size.
    unsafe fn load<T: Copy + Default>(base: *const c_void, offset: u32) -> T;

    /// The `struct tcp_sock` of a `struct sock`; null for anything but a full TCP socket.
    ///
    /// # Safety
    /// As for [`Reader::load`].
    unsafe fn tcp_sock(sk: *const c_void) -> *const c_void;

    /// A number that is the socket's alone, the same whichever reader tells it: the distance from the address of the layout,
    /// since the verifier lets nobody reckon with the address of a socket, nor hand it to a global function.
    fn key(sk: *const c_void) -> u64;
}

/// Calls a function with the helper as its reader where lockdown lets it, or else with plain loads: newer verifiers search
/// all types by name for each pointer that is loaded plainly through one of a tracepoint.
macro_rules! by_helper {
    ($function:ident($($argument:expr),*)) => {
        if $crate::frozen::setting!(probe_read) != 0 {
            $function::<$crate::read::Probe>($($argument),*)
        } else {
            $function::<$crate::read::Direct>($($argument),*)
        }
    };
}

pub(crate) use by_helper;

/// Plain loads through BTF-typed pointers, as fentry and tp_btf programs may make; the verifier checks type and
/// bounds. Works under lockdown=confidentiality too.
pub(crate) struct Direct;

impl Reader for Direct {
    #[inline(always)]
    unsafe fn load<T: Copy + Default>(base: *const c_void, offset: u32) -> T {
        // SAFETY: the verifier checks the access; volatile keeps it where it stands.
        unsafe { read_volatile(base.byte_add(offset as usize).cast()) }
    }

    #[inline(always)]
    unsafe fn tcp_sock(sk: *const c_void) -> *const c_void {
        // `struct sock` ends before the fields of tcp_sock: a load past its end is refused ("access beyond struct
        // sock"), so the verifier must be told by this helper (5.9) what the pointer really is.
        // SAFETY: a helper call on a socket pointer.
        unsafe { bpf_skc_to_tcp_sock(sk.cast_mut()).cast_const().cast() }
    }

    #[inline(always)]
    fn key(sk: *const c_void) -> u64 {
        distance(sk as u64, layout() as u64)
    }
}

/// `bpf_probe_read_kernel`, for kprobes: their arguments are bare numbers.
pub(crate) struct Probe;

impl Reader for Probe {
    #[inline(always)]
    unsafe fn load<T: Copy + Default>(base: *const c_void, offset: u32) -> T {
        // SAFETY: the helper tolerates bad addresses; a failed read gives zero, as a plain load does.
        unsafe { bpf_probe_read_kernel(base.byte_add(offset as usize).cast()) }.unwrap_or_default()
    }

    #[inline(always)]
    unsafe fn tcp_sock(sk: *const c_void) -> *const c_void {
        sk // `__tcp_close` is called for TCP sockets only.
    }

    #[inline(always)]
    fn key(sk: *const c_void) -> u64 {
        // A bare number, from which no address can be taken away: so that of the layout becomes one, too, by way of a map.
        let Some(base) = BASE.get_ptr_mut(0) else { return 0 };
        // SAFETY: from a lookup; whoever writes it writes the same.
        let base = unsafe {
            write_volatile(base, layout() as u64);
            read_volatile(base)
        };
        distance(sk as u64, base)
    }
}
