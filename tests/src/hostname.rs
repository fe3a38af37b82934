//! Hosts of another name: a private UTS namespace for what is started in it.

use rustix::system::sethostname;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Runs `body` on a thread's own host of this name. Processes that are started there keep it; the thread, too, until it
/// is given another one.
pub fn on_host<T>(name: &str, body: impl FnOnce() -> T) -> T {
    // SAFETY: only the calling thread changes its namespace, and no memory is involved.
    unsafe { unshare_unsafe(UnshareFlags::NEWUTS) }.expect("a private UTS namespace");
    sethostname(name.as_bytes()).expect("a host name");
    body()
}
