//! System call filters: what is denied answers EPERM, so that a call nobody has thought of costs what it was for, and
//! not the observer.

use std::{collections::BTreeMap, env::consts::ARCH};

use anyhow::{Context as _, Result};
use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, apply_filter, sock_filter,
};

use super::{
    calls::{BPF_COMMANDS, DENIED, NEWEST},
    needs::Needs,
};

/// Rules by the number of the call: any of them denies it, and a call without rules is denied always.
type Rules = BTreeMap<c_long, Vec<Rule>>;

/// Puts this thread, and those that it starts, under the filters.
///
/// # Errors
/// When the kernel filters no system calls.
pub(super) fn apply(needs: &Needs) -> Result<()> {
    let program = denials(needs).context("cannot make the system call filter")?;
    apply_filter(&program)
        .and_then(|()| apply_filter(&unknown()))
        .context("the kernel filters no system calls (seccomp)")
}

fn denials(needs: &Needs) -> Result<BpfProgram, BackendError> {
    let mut rules: Rules = DENIED.iter().flat_map(|(_, calls)| *calls).map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional(needs, u64::from(std::process::id()))?);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32), ARCH.try_into()?)?;
    filter.try_into()
}

/// Calls that depend on their arguments.
fn conditional(needs: &Needs, own: u64) -> Result<Rules, BackendError> {
    let command = needs.command.map(u64::from);
    let writable_code = u64::from((libc::PROT_WRITE | libc::PROT_EXEC) as u32);
    let code = u64::from(libc::PROT_EXEC as u32);
    let mut rules = Rules::from([
        // A process of its own, rather than a thread.
        (libc::SYS_clone, vec![Rule::new(vec![masked(0, libc::CLONE_THREAD as u64, 0)?])?]),
        (libc::SYS_bpf, vec![none_of(0, &BPF_COMMANDS)?]),
        (libc::SYS_kill, vec![none_of(0, &[Some(own), command].into_iter().flatten().collect::<Vec<_>>())?]),
        (libc::SYS_tgkill, vec![none_of(0, &[own])?]),
        (libc::SYS_prlimit64, vec![none_of(0, &[0, own])?]),
        (libc::SYS_sched_setaffinity, vec![none_of(0, &[0])?]),
        (libc::SYS_socket, sockets(needs)?),
        // Machine code made at run time.
        (libc::SYS_mmap, vec![Rule::new(vec![masked(2, writable_code, writable_code)?])?]),
        (libc::SYS_mprotect, vec![Rule::new(vec![masked(2, code, code)?])?]),
        (libc::SYS_pkey_mprotect, vec![Rule::new(vec![masked(2, code, code)?])?]),
        (libc::SYS_shmat, vec![Rule::new(vec![masked(2, SHM_EXEC, SHM_EXEC)?])?]),
        // Words put into the mouth of whoever sits at the terminal.
        (libc::SYS_ioctl, vec![equal(1, TIOCSTI)?, equal(1, TIOCLINUX)?]),
    ]);
    // musl sends signals to its own threads by it.
    if !cfg!(target_env = "musl") {
        rules.insert(libc::SYS_tkill, Vec::new());
    }
    Ok(rules)
}

/// Families of sockets that the run has no use for.
fn sockets(needs: &Needs) -> Result<Vec<Rule>, BackendError> {
    let family = |family: libc::c_int| u64::from(family as u32);
    // Addresses of our interfaces (getifaddrs(3)).
    let mut allowed = vec![family(libc::AF_NETLINK)];
    if needs.network() {
        allowed.extend([family(libc::AF_INET), family(libc::AF_INET6)]);
    }
    if needs.unix {
        allowed.push(family(libc::AF_UNIX));
    }
    let other_netlink = Rule::new(vec![
        condition(0, Op::Eq, family(libc::AF_NETLINK))?,
        condition(2, Op::Ne, u64::from(libc::NETLINK_ROUTE as u32))?,
    ])?;
    Ok(vec![none_of(0, &allowed)?, other_netlink])
}

/// `linux/shm.h`
const SHM_EXEC: u64 = 0o100_000;
/// `asm-generic/ioctls.h`; C libraries give them different types.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;

/// Applies when an argument is none of these values. The kernel looks at 32 bits of the arguments that this is for.
fn none_of(argument: u8, allowed: &[u64]) -> Result<Rule, BackendError> {
    Rule::new(allowed.iter().map(|value| condition(argument, Op::Ne, *value)).collect::<Result<_, _>>()?)
}

fn equal(argument: u8, value: u64) -> Result<Rule, BackendError> {
    Rule::new(vec![condition(argument, Op::Eq, value)?])
}

fn condition(argument: u8, operation: Op, value: u64) -> Result<Condition, BackendError> {
    Condition::new(argument, Length::Dword, operation, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<Condition, BackendError> {
    condition(argument, Op::MaskedEq(mask), value)
}

/// ENOSYS for calls newer than those that are known here, which includes those of the x32 ABI; and for clone3(2), whose
/// flags lie in memory, where no filter sees them: the C library then takes clone(2).
fn unknown() -> BpfProgram {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0), // `nr`, the first member of struct seccomp_data
        step(GREATER, 1, 0, NEWEST as u32),
        step(EQUAL, 0, 1, libc::SYS_clone3 as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
