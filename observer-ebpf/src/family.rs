//! Children of observed processes are observed from their first instruction (`--children`, COMMAND).

use core::ffi::c_void;

use observer_ebpf::Stat;

use crate::{count::stat, filter, maps::PIDS, task};

/// `sched_process_fork(parent, child)`: threads share their process's id.
#[inline(always)]
pub(crate) fn on_fork(parent: *const c_void, child: *const c_void) {
    if !filter::follows_children() {
        return;
    }
    let (parent, child) = (task::tgid(parent), task::tgid(child));
    let set = filter::generation();
    if child == 0 || parent == child || PIDS.get_ptr([set, parent]).is_none() {
        return;
    }
    if PIDS.insert([set, child], 1, 0).is_err() {
        stat(Stat::PIDS_FULL);
    }
}

/// `sched_process_free(task)`: only here is the process past its last close (`sched_process_exit` comes before
/// the files are closed), and its id may be given to another.
#[inline(always)]
pub(crate) fn on_free(task: *const c_void) {
    if task::is_leader(task) {
        let _ = PIDS.remove([filter::generation(), task::tgid(task)]);
    }
}
