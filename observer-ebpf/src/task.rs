//! The running task: who makes the act.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task,
    bpf_get_current_task_btf, bpf_get_current_uid_gid,
    generated::{bpf_probe_read_user, bpf_task_pt_regs},
};
use observer_ebpf::{ABSENT, Person, TOP_BYTES, TaskAccess, person_flag};

use crate::{
    filter,
    frozen::{offset, setting},
    read::{Direct, Probe, Reader},
    scratch::Run,
    sock::Pointer,
};

/// `PF_EXITING` of `include/linux/sched.h`.
const PF_EXITING: u32 = 4;

/// `PF_KTHREAD`, likewise.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Brings the running task into a run's memory.
#[inline(always)]
pub(crate) fn current(run: Run) {
    current_task(run.0);
}

/// [`current`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn current_task(run: u32) -> u32 {
    if let Some(scratch) = Run(run).memory() {
        fill_in(&mut scratch.who);
    }
    0
}

#[inline(always)]
fn fill_in(who: &mut Person) {
    let ids = bpf_get_current_pid_tgid();
    // SAFETY: helper without arguments.
    who.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    who.tgid = (ids >> 32) as u32;
    who.pid = ids as u32;
    who.uid = bpf_get_current_uid_gid() as u32;
    who.flags = 0;
    who.start_ns = 0;
    who.thread = words(bpf_get_current_comm().unwrap_or_default());
    who.comm = who.thread; // stands in where the leader cannot be read
    let access = setting!(task_access);
    if access == TaskAccess::BTF {
        // SAFETY: helper without arguments; a BTF pointer that the verifier follows.
        look_at::<Direct>(unsafe { bpf_get_current_task_btf() }.cast_const().cast(), who);
    } else if access == TaskAccess::PROBE {
        // SAFETY: helper without arguments.
        look_at::<Probe>(unsafe { bpf_get_current_task() } as *const c_void, who);
    }
    filter::mark(who);
}

/// Fills in what only `struct task_struct` tells.
#[inline(always)]
fn look_at<R: Reader>(task: *const c_void, who: &mut Person) {
    // Before the branches: newer verifiers search all types of the kernel by name whenever they come by such a load.
    let leader = leader::<R>(task);
    if offset!(task_flags) != ABSENT {
        // SAFETY: the running task.
        let flags: u32 = unsafe { R::load(task, offset!(task_flags)) };
        if flags & PF_EXITING != 0 {
            who.flags |= person_flag::EXITING;
        }
        if flags & PF_KTHREAD != 0 {
            who.flags |= person_flag::KTHREAD;
        }
    }
    if !leader.is_null() && offset!(task_comm) != ABSENT {
        who.comm = name::<R>(leader);
        who.start_ns = started::<R>(leader);
    }
}

/// The name of a task.
#[inline(always)]
fn name<R: Reader>(task: *const c_void) -> [u32; 4] {
    let comm = offset!(task_comm);
    // SAFETY: a task; TASK_COMM_LEN is 16 on every kernel.
    padded(unsafe { [R::load(task, comm), R::load(task, comm + 4), R::load(task, comm + 8), R::load(task, comm + 12)] })
}

/// When a task started, ns of CLOCK_BOOTTIME; 0 when unknown.
#[inline(always)]
fn started<R: Reader>(task: *const c_void) -> u64 {
    if offset!(task_start) == ABSENT {
        return 0;
    }
    // SAFETY: a task.
    unsafe { R::load(task, offset!(task_start)) }
}

/// The leader of a task; null when unknown.
#[inline(always)]
fn leader<R: Reader>(task: *const c_void) -> *const c_void {
    if task.is_null() || offset!(task_leader) == ABSENT {
        return core::ptr::null();
    }
    // SAFETY: a task keeps its leader.
    unsafe { R::load::<Pointer>(task, offset!(task_leader)) }.0
}

/// When a task's process started, ns of CLOCK_BOOTTIME; 0 when unknown.
#[inline(always)]
pub(crate) fn start_ns<R: Reader>(task: *const c_void) -> u64 {
    let leader = leader::<R>(task);
    if leader.is_null() { 0 } else { started::<R>(leader) }
}

/// The name of a task's process.
#[inline(always)]
pub(crate) fn comm<R: Reader>(task: *const c_void) -> [u32; 4] {
    let leader = leader::<R>(task);
    if leader.is_null() || offset!(task_comm) == ABSENT { [0; 4] } else { name::<R>(leader) }
}

/// Whether a task is a kernel thread.
#[inline(always)]
pub(crate) fn is_kernel_thread<R: Reader>(task: *const c_void) -> bool {
    // SAFETY: a task.
    offset!(task_flags) != ABSENT && unsafe { R::load::<u32>(task, offset!(task_flags)) } & PF_KTHREAD != 0
}

/// Process id of a task that a tracepoint gave; 0 when unknown.
#[inline(always)]
pub(crate) fn tgid(task: *const c_void) -> u32 {
    if offset!(task_tgid) == ABSENT {
        return 0;
    }
    // SAFETY: a task that the tracepoint gave.
    unsafe { Direct::load(task, offset!(task_tgid)) }
}

/// Whether a task that a tracepoint gave leads its process.
#[inline(always)]
pub(crate) fn is_leader(task: *const c_void) -> bool {
    if offset!(task_pid) == ABSENT {
        return false;
    }
    // SAFETY: as above.
    let pid: u32 = unsafe { Direct::load(task, offset!(task_pid)) };
    pid == tgid(task)
}

/// Whether a task's process has a controlling terminal.
#[inline(always)]
pub(crate) fn has_terminal<R: Reader>(task: *const c_void) -> bool {
    if offset!(task_signal) == ABSENT || offset!(signal_tty) == ABSENT {
        return false;
    }
    // SAFETY: a task that the tracepoint gave.
    let signal = unsafe { R::load::<Pointer>(task, offset!(task_signal)) }.0;
    if signal.is_null() {
        return false;
    }
    // SAFETY: what all threads of it share.
    !unsafe { R::load::<Pointer>(signal, offset!(signal_tty)) }.0.is_null()
}

/// Copies [`TOP_BYTES`] from the top of the running task's own stack; false where that cannot be done.
///
/// # Safety
/// There is room for them.
#[inline(always)]
pub(crate) unsafe fn copy_stack_top(target: *mut u8) -> bool {
    if setting!(stack_top) == 0 || offset!(regs_sp) == ABSENT {
        return false;
    }
    // SAFETY: the registers with which the task has entered the kernel, by BTF pointers that the verifier follows; reading
    // user memory tolerates bad addresses.
    unsafe {
        let registers = bpf_task_pt_regs(bpf_get_current_task_btf()) as *const c_void;
        let sp: u64 = Direct::load(registers, offset!(regs_sp));
        bpf_probe_read_user(target.cast(), TOP_BYTES, sp as *const c_void) == 0
    }
}

#[inline(always)]
fn words(bytes: [u8; 16]) -> [u32; 4] {
    // SAFETY: same size, any bits are a value.
    unsafe { core::mem::transmute(bytes) }
}

/// A name with zeros behind its first NUL: kernels before 5.17 leave there what a longer name has left, and names are
/// keys. Without branches, each of which would double the verifier's paths.
#[inline(always)]
fn padded(words: [u32; 4]) -> [u32; 4] {
    let (first, alive) = padded_word(words[0], u32::MAX);
    let (second, alive) = padded_word(words[1], alive);
    let (third, alive) = padded_word(words[2], alive);
    let (fourth, _) = padded_word(words[3], alive);
    [first, second, third, fourth]
}

/// One word, and the mask for the next: 0 behind a NUL.
#[inline(always)]
fn padded_word(word: u32, alive: u32) -> (u32, u32) {
    let word = u32::from_le(word);
    // The lowest bit set is the top bit of the first zero byte.
    let zeros = word.wrapping_sub(0x0101_0101) & !word & 0x8080_8080;
    let first = (zeros & zeros.wrapping_neg()) >> 7;
    let found = (zeros | zeros.wrapping_neg()) >> 31;
    ((word & first.wrapping_sub(1) & alive).to_le(), alive & found.wrapping_sub(1))
}
