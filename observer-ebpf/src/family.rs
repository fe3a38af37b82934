//! Children of observed processes are observed from their first instruction (`--children`, COMMAND).

use core::ffi::c_void;

use observer_ebpf::{ABSENT, Stat};

use crate::{
    count::stat,
    frozen::offset,
    maps::PIDS,
    read::{Direct, Reader},
};

#[inline(always)]
fn tgid_and_pid(task: *const c_void) -> (u32, u32) {
    if offset!(task_tgid) == ABSENT || offset!(task_pid) == ABSENT {
        return (0, 0);
    }
    // SAFETY: a task that the tracepoint gave.
    unsafe { (Direct::load(task, offset!(task_tgid)), Direct::load(task, offset!(task_pid))) }
}

/// `sched_process_fork(parent, child)`: threads share their process's id.
#[inline(always)]
pub(crate) fn on_fork(parent: *const c_void, child: *const c_void) {
    let (parent, _) = tgid_and_pid(parent);
    let (child, _) = tgid_and_pid(child);
    if child == 0 || parent == child || PIDS.get_ptr(parent).is_none() {
        return;
    }
    if PIDS.insert(child, 1, 0).is_err() {
        stat(Stat::PIDS_FULL);
    }
}

/// `sched_process_free(task)`: only here is the process past its last close (`sched_process_exit` comes before
/// the files are closed), and its id may be given to another.
#[inline(always)]
pub(crate) fn on_free(task: *const c_void) {
    let (tgid, pid) = tgid_and_pid(task);
    if tgid == pid {
        let _ = PIDS.remove(tgid);
    }
}
