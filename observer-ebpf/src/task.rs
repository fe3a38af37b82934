//! The running task: who makes the act.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task,
    bpf_get_current_task_btf, bpf_get_current_uid_gid,
};
use observer_ebpf::{ABSENT, Person, TaskAccess, person_flag};

use crate::{
    filter,
    frozen::{offset, setting},
    read::{Direct, Probe, Reader},
    sock::Pointer,
};

/// `PF_EXITING` of `include/linux/sched.h`.
const PF_EXITING: u32 = 4;

/// `PF_KTHREAD`, likewise.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Fills in the running task.
#[inline(always)]
pub(crate) fn current(who: &mut Person) {
    let ids = bpf_get_current_pid_tgid();
    // SAFETY: helper without arguments.
    who.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    who.tgid = (ids >> 32) as u32;
    who.pid = ids as u32;
    who.uid = bpf_get_current_uid_gid() as u32;
    who.flags = 0;
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
    if filter::process(who) {
        who.flags |= person_flag::OBSERVED;
    }
}

/// Fills in what only `struct task_struct` tells.
#[inline(always)]
fn look_at<R: Reader>(task: *const c_void, who: &mut Person) {
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
    if offset!(task_leader) != ABSENT && offset!(task_comm) != ABSENT {
        // SAFETY: the running task keeps its leader.
        let leader = unsafe { R::load::<Pointer>(task, offset!(task_leader)) }.0;
        if leader.is_null() {
            return;
        }
        let comm = offset!(task_comm);
        // SAFETY: as above; TASK_COMM_LEN is 16 on every kernel.
        who.comm = padded(unsafe {
            [R::load(leader, comm), R::load(leader, comm + 4), R::load(leader, comm + 8), R::load(leader, comm + 12)]
        });
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
