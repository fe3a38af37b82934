//! What a test needs of this machine. A missing feature makes its tests ignored, with the reason shown, never passed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, io, mem};

use crate::cgroup::Group;
use crate::etc::Etc;
use crate::kill;
use crate::multipath;
use crate::netns::Netns;
use crate::python;
use crate::tun::Tun;
use crate::veth::Far;

/// Something a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A private network namespace.
    Netns,
    /// Loading BPF programs, and the kernel's BTF.
    Bpf,
    /// A TUN device: packets made by hand.
    Tun,
    /// A pair of virtual Ethernet devices between two namespaces.
    Veth,
    /// Packets that take their time (netem).
    Netem,
    /// Ending a connection from outside (CONFIG_INET_DIAG_DESTROY).
    SockDestroy,
    /// Multipath TCP that resets what is closed with unread data.
    Mptcp,
    /// A machine of our own, whose settings the test may change: a guest of `cargo xtask vm`.
    OwnMachine,
    /// A control group of our own in the unified hierarchy.
    Cgroup,
    /// Private mounts, in which files of `/etc` are replaced.
    Etc,
    /// Changing to another user.
    Root,
    /// Landlock with everything that `--sandbox strict` asks for.
    Landlock,
    /// A program in the search path or in `/usr/sbin`.
    Tool(&'static str),
    /// A module of the Python environment that `cargo xtask setup` makes.
    PythonModule(&'static str),
    /// A folder of test programs' sources, as in a checkout (not in a guest).
    Sources,
}

impl Feature {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Netns => "netns",
            Self::Bpf => "bpf",
            Self::Tun => "tun",
            Self::Veth => "veth",
            Self::Netem => "netem",
            Self::SockDestroy => "sock-destroy",
            Self::Mptcp => "mptcp",
            Self::OwnMachine => "own-machine",
            Self::Cgroup => "cgroup",
            Self::Etc => "etc",
            Self::Root => "root",
            Self::Landlock => "landlock",
            Self::Tool(name) | Self::PythonModule(name) => name,
            Self::Sources => "sources",
        }
    }

    /// Why it is not here, in one sentence; `None` when it is.
    pub fn missing(self) -> Option<String> {
        static NETNS: OnceLock<Option<String>> = OnceLock::new();
        static BPF: OnceLock<Option<String>> = OnceLock::new();
        static TUN: OnceLock<Option<String>> = OnceLock::new();
        static VETH: OnceLock<Option<String>> = OnceLock::new();
        static NETEM: OnceLock<Option<String>> = OnceLock::new();
        static CGROUP: OnceLock<Option<String>> = OnceLock::new();
        static MPTCP: OnceLock<Option<String>> = OnceLock::new();
        static SOCK_DESTROY: OnceLock<Option<String>> = OnceLock::new();
        static ETC: OnceLock<Option<String>> = OnceLock::new();
        match self {
            Self::Netns => NETNS.get_or_init(netns).clone(),
            Self::Bpf => BPF.get_or_init(bpf).clone(),
            Self::Tun => TUN.get_or_init(tun).clone(),
            Self::Veth => VETH.get_or_init(veth).clone(),
            Self::Netem => NETEM.get_or_init(netem).clone(),
            Self::SockDestroy => SOCK_DESTROY.get_or_init(sock_destroy).clone(),
            Self::Mptcp => MPTCP.get_or_init(mptcp).clone(),
            Self::OwnMachine => own_machine(),
            Self::Cgroup => CGROUP
                .get_or_init(|| {
                    Group::of_container("probe").err().map(|e| format!("no control group can be made here: {e}"))
                })
                .clone(),
            Self::Etc => ETC.get_or_init(etc).clone(),
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "this user is not root".to_owned()),
            Self::Landlock => landlock(),
            Self::Tool(name) => tool(name).is_none().then(|| format!("{name} is not installed")),
            Self::PythonModule(name) => (!python::has(name))
                .then(|| format!("{name} is not in target/tools/python: `cargo xtask setup` puts it there")),
            Self::Sources => (!sources().is_dir()).then(|| format!("{} is not here", sources().display())),
        }
    }
}

/// Where an installed program is. `/usr/bin` comes first: a shim of a version manager starts more than one process.
pub fn tool(name: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/bin", "/usr/sbin"].map(PathBuf::from).into_iter().chain(std::env::split_paths(&search));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The programs in other languages, `tests/peers`.
pub fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
}

fn netns() -> Option<String> {
    Netns::probe(|| Ok(())).err().map(|error| format!("no private network namespace can be made here: {error}"))
}

fn tun() -> Option<String> {
    let opened = Netns::probe(|| Tun::open().map(drop));
    opened.err().map(|error| format!("no TUN device can be made here: {error}"))
}

fn veth() -> Option<String> {
    let made = Netns::probe(|| Far::connect().map(drop));
    made.err().map(|error| format!("no virtual Ethernet pair can be made here: {error}"))
}

fn netem() -> Option<String> {
    let delayed = Netns::probe(|| Far::connect()?.delay(Duration::from_millis(1)));
    delayed.err().map(|error| format!("packets cannot be delayed here: {error}"))
}

fn sock_destroy() -> Option<String> {
    let probed = Netns::probe(kill::probe);
    probed.err().map(|error| format!("connections cannot be ended from outside here: {error}"))
}

fn mptcp() -> Option<String> {
    let probed = Netns::probe(multipath::probe);
    probed.err().map(|error| format!("Multipath TCP does not reset unread data here: {error}"))
}

/// Its version is what landlock_create_ruleset(2) says when it is asked for nothing else.
fn landlock() -> Option<String> {
    const VERSION: libc::c_uint = 1;
    const NEEDED: libc::c_long = 6;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the kernel takes no structure and returns a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    (version < NEEDED)
        .then(|| format!("Landlock version {NEEDED} is needed (Linux 6.12), and this kernel has {version}"))
}

/// Tried in a thread of its own, whose mounts go with it.
fn etc() -> Option<String> {
    let replace = || Etc::private().map(|etc| etc.resolve_by(&["127.0.0.1"])).err().map(|error| error.to_string());
    let tried = std::thread::spawn(replace).join().unwrap_or_else(|_| Some("a file is missing".to_owned()));
    tried.map(|error| format!("files of /etc cannot be replaced here: {error}"))
}

/// The guest's init is PID 1, leaves its list of runs in `/vm`, and is our parent.
fn own_machine() -> Option<String> {
    let by_guest_init = rustix::process::getppid().is_some_and(rustix::process::Pid::is_init)
        && fs::exists("/vm/runs").unwrap_or(false);
    (!by_guest_init).then(|| "it would change settings of the whole machine, which is not a test guest".to_owned())
}

/// Loads the smallest program of the kind the observer needs at least (`return 0`, raw tracepoint).
fn bpf() -> Option<String> {
    if !fs::exists("/sys/kernel/btf/vmlinux").unwrap_or(false) {
        return Some("the kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    load_program().err().map(|error| format!("BPF programs cannot be loaded here: {error}"))
}

fn load_program() -> io::Result<()> {
    const BPF_PROG_LOAD: libc::c_long = 5;
    const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
    /// The first members of `union bpf_attr` for BPF_PROG_LOAD (include/uapi/linux/bpf.h).
    #[repr(C)]
    struct Load {
        program_type: u32,
        instruction_count: u32,
        instructions: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buffer: u64,
        kernel_version: u32,
        flags: u32,
    }
    // r0 = 0; exit
    let instructions: [u64; 2] = [0xb7, 0x95];
    let load = Load {
        program_type: BPF_PROG_TYPE_RAW_TRACEPOINT,
        instruction_count: 2,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads `load` and the two arrays it points to, all alive.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, mem::size_of_val(&load)) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else knows it.
    unsafe { libc::close(fd as i32) };
    Ok(())
}
