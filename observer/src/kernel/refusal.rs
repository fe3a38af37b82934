//! Why the kernel refuses, in one sentence with a remedy.

use std::{fs, io};

use anyhow::{Result, bail};
use aya::programs::ProgramError;

use crate::{diagnose::diagnose, procfile};

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Inode of the initial PID namespace (`include/linux/proc_ns.h`, PROC_PID_INIT_INO).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Checks what can be known before the first program is loaded.
///
/// # Errors
/// One sentence: what is missing and what to do about it.
pub fn preflight() -> Result<()> {
    let effective = effective_capabilities()?;
    let has = |capability: u32| effective & (1 << capability) != 0;
    if !has(CAP_SYS_ADMIN) {
        let missing: Vec<&str> = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
            .into_iter()
            .filter(|(capability, _)| !has(*capability))
            .map(|(_, name)| name)
            .collect();
        if !missing.is_empty() {
            bail!(
                "no permission to load BPF programs: this process lacks {}; run it as root (sudo conn-observer …) or \
                 grant CAP_BPF and CAP_PERFMON",
                missing.join(" and ")
            );
        }
    }
    if !fs::exists(super::btf::VMLINUX).unwrap_or(false) {
        bail!(
            "this kernel shows no BTF at {}: conn-observer takes every offset from it; boot a kernel built with \
             CONFIG_DEBUG_INFO_BTF=y (every mainstream distribution since 2021), or mount /sys",
            super::btf::VMLINUX
        );
    }
    if in_own_pid_namespace() {
        bail!(
            "running in a PID namespace of its own, where the kernel's process ids mean nothing; run on the host or \
             with the host's PID namespace (docker run --pid=host, hostPID: true)"
        );
    }
    Ok(())
}

/// Whether this process lives in another PID namespace than the initial one.
#[must_use]
pub fn in_own_pid_namespace() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() != INITIAL_PID_NAMESPACE)
}

/// The mask of effective capabilities.
///
/// # Errors
/// Without `/proc`.
pub fn effective_capabilities() -> Result<u64> {
    let mask = procfile::field("/proc/self/status", "CapEff");
    match mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok()) {
        Some(mask) => Ok(mask),
        None => bail!("cannot read CapEff in /proc/self/status: mount /proc"),
    }
}

/// The lockdown level in force, or `none`.
pub(crate) fn lockdown() -> String {
    lockdown_level().unwrap_or_else(|| "none".to_owned())
}

/// The lockdown level in force; None where the kernel does not show it.
#[must_use]
pub fn lockdown_level() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").ok()?;
    let level = text.split('[').nth(1)?.split(']').next()?;
    Some(level.to_owned())
}

/// `EPERM (Operation not permitted)`, from an error and its causes; the innermost system error wins.
pub(crate) fn errno_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut found = None;
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            found = io.raw_os_error().or(found);
        }
        next = current.source();
    }
    let Some(errno) = found else { return first_line(&error.to_string()) };
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        libc::ENOENT => "ENOENT",
        libc::ENOMEM => "ENOMEM",
        libc::E2BIG => "E2BIG",
        libc::EBUSY => "EBUSY",
        libc::ENOTSUP => "ENOTSUP",
        libc::ENOSYS => "ENOSYS",
        _ => return io::Error::from_raw_os_error(errno).to_string(),
    };
    let text = io::Error::from_raw_os_error(errno).to_string();
    format!("{name} ({})", text.split(" (os error").next().unwrap_or_default())
}

/// A program's refusal: the errno, and the verifier's last word where it has one.
pub(crate) fn of_program(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { verifier_log, .. } => with_verdict(error, &verifier_log.to_string()),
        _ => errno_text(error),
    }
}

/// Shows a verifier's whole log, for `--kernel-log`.
pub(crate) fn show_log(hook: &str, error: &ProgramError) {
    if let ProgramError::LoadError { verifier_log, .. } = error {
        show_log_text(hook, &verifier_log.to_string());
    }
}

/// The same, of a log that is there as text.
pub(crate) fn show_log_text(hook: &str, log: &str) {
    if !log.is_empty() {
        diagnose(format_args!("{hook}: verifier log\n{log}"));
    }
}

/// The errno, and the last word of a verifier's log.
pub(crate) fn with_verdict(error: &(dyn std::error::Error + 'static), log: &str) -> String {
    let errno = errno_text(error);
    verdict(log).map_or(errno.clone(), |verdict| format!("{errno}: {verdict}"))
}

/// The line of a verifier log that says what is wrong: the last one before the statistics.
fn verdict(log: &str) -> Option<String> {
    let statistics = ["verification time", "stack depth", "processed ", "insns_"];
    let lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.filter(|line| !statistics.iter().any(|prefix| line.starts_with(prefix)));
    lines.next_back().map(str::to_owned)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_stands_before_the_statistics() {
        let log = "34: (b7) r0 = 0\nUnreleased reference id=39\nverification time 68999 usec\nprocessed 9 insns\n\n";
        assert_eq!(verdict(log).as_deref(), Some("Unreleased reference id=39"));
        assert_eq!(verdict(""), None);
    }

    #[test]
    fn the_innermost_errno_is_named() {
        let error = anyhow::Error::from(io::Error::from_raw_os_error(libc::EPERM)).context("load");
        assert_eq!(errno_text(error.as_ref()), "EPERM (Operation not permitted)");
    }
}
