//! System calls that an observer at work never makes. A list of what is denied, not of what is allowed: the C library,
//! its name service modules and the libraries of outputs use new calls with every release, and a denied one that is
//! needed would show as a name or an event that is missing.

use libc::c_long;

/// Calls that are denied whatever their arguments are, with what they are for.
pub(super) const DENIED: [(&str, &[c_long]); 9] = [
    ("executing a program", &[libc::SYS_execve, libc::SYS_execveat]),
    (
        "another process: its memory, descriptors, signals and scheduling",
        &[
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_process_madvise,
            libc::SYS_process_mrelease,
            libc::SYS_kcmp,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_sched_setattr,
            libc::SYS_sched_setparam,
            libc::SYS_sched_setscheduler,
            libc::SYS_setpriority,
            libc::SYS_ioprio_set,
            libc::SYS_move_pages,
            libc::SYS_migrate_pages,
        ],
    ),
    (
        "mounts and namespaces",
        &[
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            libc::SYS_fsopen,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fspick,
            libc::SYS_mount_setattr,
            libc::SYS_setns,
            libc::SYS_unshare,
        ],
    ),
    (
        "the machine: modules, kernels, swap, clocks, names, accounting",
        &[
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_kexec_load,
            libc::SYS_kexec_file_load,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_swapoff,
            libc::SYS_acct,
            libc::SYS_quotactl,
            libc::SYS_quotactl_fd,
            libc::SYS_settimeofday,
            libc::SYS_clock_settime,
            libc::SYS_clock_adjtime,
            libc::SYS_adjtimex,
            libc::SYS_sethostname,
            libc::SYS_setdomainname,
            libc::SYS_syslog,
            libc::SYS_vhangup,
            libc::SYS_nfsservctl,
            libc::SYS_lookup_dcookie,
            libc::SYS_personality,
        ],
    ),
    ("keys of the kernel", &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl]),
    (
        "another user",
        &[
            libc::SYS_setuid,
            libc::SYS_setgid,
            libc::SYS_setreuid,
            libc::SYS_setregid,
            libc::SYS_setresuid,
            libc::SYS_setresgid,
            libc::SYS_setfsuid,
            libc::SYS_setfsgid,
            libc::SYS_setgroups,
        ],
    ),
    (
        "owners, modes and attributes of files, which Landlock does not restrict",
        &[
            libc::SYS_fchmod,
            libc::SYS_fchmodat,
            FCHMODAT2,
            libc::SYS_fchown,
            libc::SYS_fchownat,
            libc::SYS_setxattr,
            libc::SYS_lsetxattr,
            libc::SYS_fsetxattr,
            libc::SYS_removexattr,
            libc::SYS_lremovexattr,
            libc::SYS_fremovexattr,
            libc::SYS_mknodat,
            libc::SYS_truncate,
        ],
    ),
    (
        "what has served to attack kernels, or passes by filters",
        &[
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_fanotify_init,
            libc::SYS_fanotify_mark,
        ],
    ),
    ("the same as some of the above, by older calls", OLDER),
];

/// By the number that all architectures have; not in every C library's table.
const FCHMODAT2: c_long = 452;

#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_mknod,
    libc::SYS_uselib,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// The newest call that is known here. What is newer does not exist for the observer (ENOSYS), which every library has
/// an answer to; neither do the calls of the x32 ABI, whose numbers lie above.
pub(super) const NEWEST: c_long = libc::SYS_mseal;

/// Commands of bpf(2) that work with what is loaded (`enum bpf_cmd`): to read and write maps, and to look at programs.
pub(super) const BPF_COMMANDS: [u64; 9] = [
    1,  // BPF_MAP_LOOKUP_ELEM
    2,  // BPF_MAP_UPDATE_ELEM
    3,  // BPF_MAP_DELETE_ELEM
    4,  // BPF_MAP_GET_NEXT_KEY
    15, // BPF_OBJ_GET_INFO_BY_FD
    21, // BPF_MAP_LOOKUP_AND_DELETE_ELEM
    24, // BPF_MAP_LOOKUP_BATCH
    25, // BPF_MAP_LOOKUP_AND_DELETE_BATCH
    27, // BPF_MAP_DELETE_BATCH
];
