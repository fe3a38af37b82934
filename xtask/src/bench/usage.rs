//! What a process has taken of the machine, and what machine that is.

use std::fs;

use anyhow::{Context as _, Result};

/// Ticks of `/proc/PID/stat` per second: what the kernel tells user space, whatever its own are.
const TICKS: f64 = 100.0;

/// What a process has taken so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Seconds of a processor.
    pub(super) seconds: f64,
    /// Most memory that was resident, MiB.
    pub(super) peak_mib: f64,
}

/// Reads it.
///
/// # Errors
/// When the process is gone.
pub(super) fn of(pid: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the contender has ended")?;
    // Behind the name, which may hold anything: state, then numbers; utime and stime are the 14th and 15th of all.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the contender has ended")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0);
    Ok(Usage { seconds: (ticks(11) + ticks(12)) / TICKS, peak_mib: kib / 1_024.0 })
}

/// The machine, in a line.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let processors = info.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{processors} × {}, kernel {}, load before {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}
