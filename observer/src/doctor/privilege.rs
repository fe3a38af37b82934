//! What this process may do, and give up: capabilities, namespaces, lockdown, what there is for a sandbox.

use std::fs;

use super::report::{Check, State};
use crate::{
    kernel,
    sandbox::{ABI, Offer},
};

/// Inode of the initial user namespace (`include/linux/proc_ns.h`, PROC_USER_INIT_INO).
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

/// Number of CAP_SYS_ADMIN, which stands in for the two that loading needs.
const CAP_SYS_ADMIN: u32 = 21;

const AS_ROOT: &str = "run as root (sudo conn-observer …), or grant CAP_BPF and CAP_PERFMON \
                       (setcap cap_bpf,cap_perfmon+ep on the binary, or the unit's AmbientCapabilities)";

/// A capability (`include/uapi/linux/capability.h`).
struct Capability {
    number: u32,
    name: &'static str,
    /// Nothing can be observed without it, or CAP_SYS_ADMIN.
    needed: bool,
    /// What it is for.
    purpose: &'static str,
}

const CAPABILITIES: [Capability; 8] = [
    Capability { number: 39, name: "CAP_BPF", needed: true, purpose: "loads the programs and makes their maps" },
    Capability { number: 38, name: "CAP_PERFMON", needed: true, purpose: "attaches to functions and tracepoints" },
    Capability {
        number: CAP_SYS_ADMIN,
        name: "CAP_SYS_ADMIN",
        needed: false,
        purpose: "gives the self-test a network namespace of its own",
    },
    Capability {
        number: 12,
        name: "CAP_NET_ADMIN",
        needed: false,
        purpose: "taps DNS answers (--dns), starts the loopback of the self-test and kills a connection there",
    },
    Capability {
        number: 19,
        name: "CAP_SYS_PTRACE",
        needed: false,
        purpose: "looks at processes of other users: their programs, mappings, roots and namespaces, and the owners of \
                  connections that are older than the observer",
    },
    Capability {
        number: 2,
        name: "CAP_DAC_READ_SEARCH",
        needed: false,
        purpose: "reads programs that only others may read, for symbols, and lists /proc/PID/fd of other users, for the \
                  same owners",
    },
    Capability {
        number: 40,
        name: "CAP_CHECKPOINT_RESTORE",
        needed: false,
        purpose: "reads mapped files that were deleted or replaced, for symbols",
    },
    Capability {
        number: 8,
        name: "CAP_SETPCAP",
        needed: false,
        purpose: "empties the bounding set of capabilities (--sandbox)",
    },
];

/// Every check of this process.
pub(crate) fn checks() -> Vec<Check> {
    let mut checks = match kernel::effective_capabilities() {
        Ok(mask) => capabilities(mask),
        Err(error) => vec![Check::failed("capabilities", format!("{error:#}"), "mount /proc")],
    };
    let user_namespace = fs::read_link("/proc/self/ns/user").ok();
    checks.push(namespace_of_users(
        user_namespace.is_none_or(|link| link.as_os_str() == INITIAL_USER_NAMESPACE), // no such file: no namespaces
    ));
    checks.push(namespace_of_processes(!kernel::in_own_pid_namespace()));
    checks.push(lockdown(kernel::lockdown_level().as_deref()));
    checks.extend(sandbox(&Offer::read()));
    checks
}

/// What the kernel has for `--sandbox`.
fn sandbox(offer: &Offer) -> [Check; 2] {
    let (landlock, missing) = ("landlock", offer.missing().join(", "));
    let landlock = match offer.landlock {
        Some(version) if missing.is_empty() => {
            Check::ok(landlock, format!("version {version} has all that --sandbox asks for"))
        }
        Some(version) => Check::limited(landlock, format!("version {version} does not restrict {missing}"))
            .with_remedy(format!("Linux 6.12 has version {ABI}; until then --sandbox strict is refused")),
        None => Check::limited(landlock, "not there: outputs are not confined to their folders and ports")
            .with_remedy("boot with lsm=landlock,… if the kernel is built with it"),
    };
    let seccomp = match offer.seccomp {
        true => Check::ok("seccomp", "system calls that an observer at work never makes can be denied"),
        false => Check::limited("seccomp", "the kernel filters no system calls, or something forbids to ask"),
    };
    [landlock, seccomp]
}

/// Whether BPF programs may be loaded, as far as capabilities go.
pub(crate) fn may_load() -> bool {
    kernel::effective_capabilities()
        .is_ok_and(|mask| capabilities(mask).iter().all(|check| check.state != State::Failed))
}

fn capabilities(effective: u64) -> Vec<Check> {
    let has = |number: u32| effective & (1 << number) != 0;
    let judge = |one: &Capability| match (has(one.number), one.needed) {
        (true, _) => Check::ok(one.name, one.purpose),
        (false, true) if has(CAP_SYS_ADMIN) => {
            Check::ok(one.name, format!("{}: CAP_SYS_ADMIN stands in for it", one.purpose))
        }
        (false, true) => Check::failed(one.name, format!("this process lacks it; it {}", one.purpose), AS_ROOT),
        (false, false) => Check::limited(one.name, format!("this process lacks it; it {}", one.purpose)),
    };
    CAPABILITIES.iter().map(judge).collect()
}

fn namespace_of_users(initial: bool) -> Check {
    const NAME: &str = "user_namespace";
    if initial {
        return Check::ok(NAME, "the initial one");
    }
    Check::limited(NAME, "one of its own: what the kernel asks for BPF are capabilities in the initial one, not here")
        .with_remedy("run on the host, or in a container without a user namespace")
}

fn namespace_of_processes(initial: bool) -> Check {
    const NAME: &str = "pid_namespace";
    if initial {
        return Check::ok(NAME, "the initial one: process ids are those of the kernel");
    }
    Check::failed(
        NAME,
        "one of its own, where the kernel's process ids mean nothing",
        "run on the host or with the host's PID namespace (docker run --pid=host, hostPID: true)",
    )
}

fn lockdown(level: Option<&str>) -> Check {
    const NAME: &str = "lockdown";
    match level {
        None => Check::skipped(NAME, "not shown at /sys/kernel/security/lockdown: none, or securityfs is not mounted"),
        Some("confidentiality") => Check::limited(
            NAME,
            "confidentiality: kprobes and reading packets are forbidden, fentry and tracepoints go on working",
        )
        .with_remedy("boot with lockdown=integrity to have the addresses of RSTs without a socket"),
        Some(level) => Check::ok(NAME, level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(effective: u64) -> Vec<(String, State)> {
        capabilities(effective).into_iter().map(|check| (check.name, check.state)).collect()
    }

    #[test]
    fn a_process_without_capabilities_fails_in_what_is_needed_only() {
        let failed: Vec<String> =
            states(0).into_iter().filter(|(_, state)| *state == State::Failed).map(|(name, _)| name).collect();
        assert_eq!(failed, ["CAP_BPF", "CAP_PERFMON"]);
        assert!(capabilities(0).iter().all(|check| check.state != State::Failed || check.remedy.is_some()));
    }

    #[test]
    fn the_administrator_needs_no_other_to_load() {
        assert!(states(1 << CAP_SYS_ADMIN).iter().all(|(_, state)| *state != State::Failed));
    }

    #[test]
    fn bpf_and_perfmon_are_enough_with_limits() {
        let states = states(1 << 38 | 1 << 39);
        assert!(states.iter().all(|(_, state)| *state != State::Failed));
        assert!(states.contains(&("CAP_SYS_ADMIN".to_owned(), State::Limited)));
    }

    #[test]
    fn a_kernel_with_less_for_a_sandbox_is_a_limit() {
        let states = |landlock, seccomp| sandbox(&Offer { landlock, seccomp }).map(|check| check.state);
        assert_eq!(states(Some(ABI), true), [State::Ok, State::Ok]);
        assert_eq!(states(Some(2), false), [State::Limited, State::Limited]);
        assert_eq!(states(None, true), [State::Limited, State::Ok]);
    }

    #[test]
    fn confidentiality_is_a_limit_and_a_level_not_shown_is_not_guessed() {
        assert_eq!(lockdown(Some("confidentiality")).state, State::Limited);
        assert_eq!(lockdown(Some("integrity")).state, State::Ok);
        assert_eq!(lockdown(None).state, State::Skipped);
    }
}
