//! The lives of processes, told to user space: forks, executed programs and ends, so that a finding can be told in
//! full although its process is gone.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_uid_gid, bpf_ktime_get_boot_ns,
        generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    },
    macros::map,
    maps::PerCpuArray,
};
use observer_ebpf::{ABSENT, ARGUMENTS_ROOM, LIFE_LEN, Life, PATH_ROOM, Stat, Step, life_flag};

use crate::{
    count,
    frozen::{offset, setting},
    maps::PROCESSES,
    read::{Reader, by_helper},
    sock::Pointer,
    task,
};

/// The reader looks at this ring whenever it looks at the findings.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// An executed program with all that may stand behind its head. The verifier asks for room behind the longest path as
/// well.
#[repr(C)]
struct Program {
    life: Life,
    text: [u8; PATH_ROOM + ARGUMENTS_ROOM],
}

/// One at a time: these programs run with preemption off, and no softirq executes anything.
#[map]
static PROGRAM: PerCpuArray<Program> = PerCpuArray::with_max_entries(1, 0);

const BLANK: Life = Life {
    time_ns: 0,
    start_ns: 0,
    parent_start_ns: 0,
    cgroup_id: 0,
    text_start: 0,
    text_end: 0,
    inode: 0,
    device: 0,
    tgid: 0,
    parent: 0,
    uid: 0,
    step: 0,
    flags: 0,
    path_bytes: 0,
    argument_bytes: 0,
    comm: [0; 4],
};

// Newer verifiers search all types of the kernel by name, several times, for each pointer that is loaded from one that a
// tracepoint gave. So these are read by the helper, where lockdown lets it: a process is no matter of nanoseconds.

/// A process is forked; threads share theirs.
#[inline(always)]
pub(crate) fn on_fork(parent: *const c_void, child: *const c_void) {
    by_helper!(forked(parent, child))
}

#[inline(always)]
fn forked<R: Reader>(parent: *const c_void, child: *const c_void) {
    let tgid = task::tgid(child);
    if tgid == 0 || tgid == task::tgid(parent) {
        return;
    }
    let mut life = begin::<R>(Step::FORK, child);
    life.parent = task::tgid(parent);
    life.parent_start_ns = task::start_ns::<R>(parent);
    life.comm = task::comm::<R>(parent);
    tell(&life);
}

/// The last thread of a process is gone. See [`crate::family::on_free`].
#[inline(always)]
pub(crate) fn on_free(task: *const c_void) {
    if task::is_leader(task) {
        tell(&by_helper!(begin(Step::END, task)));
    }
}

/// The running task has executed a program; its new memory holds the arguments.
#[inline(always)]
pub(crate) fn on_exec(task: *const c_void, program: *const c_void) {
    by_helper!(executed(task, program))
}

#[inline(always)]
fn executed<R: Reader>(task: *const c_void, program: *const c_void) {
    let Some(buffer) = PROGRAM.get_ptr_mut(0) else { return };
    // SAFETY: this CPU's memory, and nobody else's now.
    let buffer = unsafe { &mut *buffer };
    buffer.life = begin::<R>(Step::EXEC, task);
    let life = &mut buffer.life;
    life.comm = task::comm::<R>(task);
    life.uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: helper without arguments.
    life.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    if task::has_terminal::<R>(task) {
        life.flags |= life_flag::TERMINAL;
    }
    identity::<R>(life, program);
    let path = path::<R>(&mut buffer.text, program);
    buffer.life.path_bytes = path;
    arguments::<R>(buffer, path, memory::<R>(task));
    submit(buffer);
}

#[inline(always)]
fn begin<R: Reader>(step: u32, task: *const c_void) -> Life {
    // SAFETY: helper without arguments.
    let time_ns = unsafe { bpf_ktime_get_boot_ns() };
    Life { time_ns, start_ns: task::start_ns::<R>(task), tgid: task::tgid(task), step, ..BLANK }
}

#[inline(always)]
fn tell(life: &Life) {
    if PROCESSES.output::<Life>(life, BPF_RB_NO_WAKEUP).is_err() {
        count::stat(Stat::PROCESSES_LOST);
    }
}

/// Which file is executed.
#[inline(always)]
fn identity<R: Reader>(life: &mut Life, program: *const c_void) {
    if offset!(bprm_file) == ABSENT || offset!(file_inode) == ABSENT || offset!(inode_number) == ABSENT {
        return;
    }
    let inode = follow::<R>(follow::<R>(program, offset!(bprm_file)), offset!(file_inode));
    if inode.is_null() {
        return;
    }
    // SAFETY: a file that is open, and its inode.
    life.inode = unsafe { R::load(inode, offset!(inode_number)) };
    if offset!(inode_sb) == ABSENT || offset!(sb_device) == ABSENT {
        return;
    }
    let sb = follow::<R>(inode, offset!(inode_sb));
    if !sb.is_null() {
        // SAFETY: its super block.
        life.device = unsafe { R::load(sb, offset!(sb_device)) };
    }
}

/// The pointer at an offset of a structure; null stays null.
#[inline(always)]
fn follow<R: Reader>(base: *const c_void, offset: u32) -> *const c_void {
    if base.is_null() {
        return base;
    }
    // SAFETY: a structure of the running task, at an offset from BTF.
    unsafe { R::load::<Pointer>(base, offset) }.0
}

/// The path of the program; of a script, its interpreter's. Returns its length.
#[inline(always)]
fn path<R: Reader>(text: &mut [u8; PATH_ROOM + ARGUMENTS_ROOM], program: *const c_void) -> u32 {
    if setting!(probe_read) == 0 || offset!(bprm_interp) == ABSENT {
        return 0;
    }
    let name = follow::<R>(program, offset!(bprm_interp));
    // SAFETY: at most PATH_ROOM bytes; the helper tolerates bad addresses.
    let taken = unsafe { bpf_probe_read_kernel_str(text.as_mut_ptr().cast(), PATH_ROOM as u32, name.cast()) };
    if taken > 1 { (taken as u32 - 1) & (PATH_ROOM as u32 - 1) } else { 0 }
}

/// The memory of the running task.
#[inline(always)]
fn memory<R: Reader>(task: *const c_void) -> *const c_void {
    if offset!(task_mm) == ABSENT { core::ptr::null() } else { follow::<R>(task, offset!(task_mm)) }
}

/// The arguments, as they stand on the new stack, behind the path.
#[inline(always)]
fn arguments<R: Reader>(buffer: &mut Program, path: u32, memory: *const c_void) {
    if memory.is_null() {
        return;
    }
    if offset!(mm_start_code) != ABSENT && offset!(mm_end_code) != ABSENT {
        // SAFETY: the memory of the running task.
        unsafe {
            buffer.life.text_start = R::load(memory, offset!(mm_start_code));
            buffer.life.text_end = R::load(memory, offset!(mm_end_code));
        }
    }
    // Lockdown does not mind user memory, but the loader: where it sees bpf_probe_read_kernel refused, it puts the old
    // bpf_probe_read in the place of both helpers.
    if setting!(probe_read) == 0 || offset!(mm_arg_start) == ABSENT || offset!(mm_arg_end) == ABSENT {
        return;
    }
    // SAFETY: as above.
    let (start, end): (u64, u64) =
        unsafe { (R::load(memory, offset!(mm_arg_start)), R::load(memory, offset!(mm_arg_end))) };
    let length = end.saturating_sub(start);
    let room = ARGUMENTS_ROOM as u64;
    let taken = if length > room { room } else { length };
    if length > room {
        buffer.life.flags |= life_flag::TRUNCATED;
    }
    let path = path as usize & (PATH_ROOM - 1);
    // SAFETY: `path` is below PATH_ROOM, so ARGUMENTS_ROOM bytes are left; the helper tolerates bad addresses.
    let error = unsafe {
        let target = buffer.text.as_mut_ptr().add(path);
        bpf_probe_read_user(target.cast(), taken as u32, start as *const c_void)
    };
    if error == 0 {
        buffer.life.argument_bytes = taken as u32;
    }
}

#[inline(always)]
fn submit(buffer: &mut Program) {
    // Masks that the verifier understands: what was stored in a map it has forgotten.
    let text = (buffer.life.path_bytes as usize & (PATH_ROOM - 1))
        + (buffer.life.argument_bytes as usize & (2 * ARGUMENTS_ROOM - 1));
    let text = if text > PATH_ROOM + ARGUMENTS_ROOM { PATH_ROOM + ARGUMENTS_ROOM } else { text };
    // SAFETY: the head and the text are one block, the text at most as long as its array.
    let bytes = unsafe { core::slice::from_raw_parts((&raw const *buffer).cast::<u8>(), LIFE_LEN + text) };
    if PROCESSES.output::<[u8]>(bytes, BPF_RB_NO_WAKEUP).is_err() {
        count::stat(Stat::PROCESSES_LOST);
    }
}
