//! What the kernel says of a process and of each of its threads: `/proc/PID/status`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The lines of `status` of a process, which are those of its first thread.
pub fn of_process(pid: u32) -> BTreeMap<String, String> {
    of_thread(pid, &pid.to_string())
}

fn of_thread(pid: u32, thread: &str) -> BTreeMap<String, String> {
    let path = format!("/proc/{pid}/task/{thread}/status");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// Those of all threads that run now.
pub fn of_threads(pid: u32) -> Vec<BTreeMap<String, String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    threads.map(|entry| of_thread(pid, entry.expect("a thread").file_name().to_str().expect("a number"))).collect()
}

/// Processor time that a process has used so far, all threads together: fields 14 and 15 of `/proc/PID/stat`.
pub fn processor_time(pid: u32) -> Duration {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // Behind the name, which may hold anything, comes the third field.
    let fields: Vec<&str> = text.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks: u64 = [11, 12].map(|index| fields[index].parse::<u64>().expect("ticks")).iter().sum();
    // SAFETY: no pointers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_millis(ticks * 1_000 / u64::try_from(per_second).expect("a frequency"))
}

/// Bytes of memory that a process has in use, `VmRSS`.
pub fn resident(pid: u32) -> u64 {
    bytes(pid, "VmRSS")
}

/// Most bytes of memory that a process has in use during a call, `VmHWM`: also what it has for a moment only.
pub fn peak_during(pid: u32, call: impl FnOnce()) -> u64 {
    // `clear_refs_write()`, `CLEAR_REFS_MM_HIWATER_RSS`: the mark falls to what is in use now.
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").unwrap_or_else(|error| panic!("{path}: {error}"));
    call();
    bytes(pid, "VmHWM")
}

fn bytes(pid: u32, name: &str) -> u64 {
    let status = of_process(pid);
    let kibibytes = status[name].trim_end_matches(" kB").parse::<u64>();
    kibibytes.unwrap_or_else(|_| panic!("no size: {status:?}")) << 10
}
