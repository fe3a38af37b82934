//! The DNS tap (`--dns`): cgroup programs on the root of the cgroup v2 tree, which sees the sockets of every namespace.
//! Held by links, beside whatever other programs are there, and gone with this process.

use std::{fs, fs::File, os::unix::fs::MetadataExt as _, path::PathBuf};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSkbAttachType, Program, ProgramError},
};

use super::refusal;
use crate::plan::Coverage;

/// Programs as name and hook, in the order of attaching: a socket is noted before its answers are looked for.
const PROGRAMS: [(&str, &str); 4] = [
    ("dns_ingress", "cgroup_skb/ingress"),
    ("dns_egress", "cgroup_skb/egress"),
    ("dns_sendmsg4", "cgroup/sendmsg4"),
    ("dns_sendmsg6", "cgroup/sendmsg6"),
];

/// Inode of the root of the cgroup v2 tree (`kernfs_get_ino()` counts from 1).
const ROOT_INODE: u64 = 1;

/// Sockets that are remembered to have asked.
pub(super) const ASKERS: u32 = 16_384;

/// What the maps take when nobody wants them: a page, and a few entries.
pub(super) const UNUSED_RING_BYTES: u32 = 4_096;
pub(super) const UNUSED_ASKERS: u32 = 16;

/// What is attached.
pub(super) struct Tap {
    /// As `cgroup_skb/ingress`.
    pub(super) hooks: Vec<String>,
    /// What it cannot see.
    pub(super) limit: Option<Coverage>,
}

/// Loads and attaches the programs, or tells why not: a kernel that refuses them costs names, nothing else.
pub(super) fn attach(ebpf: &mut Ebpf, show_log: bool) -> Result<Tap, Coverage> {
    let root = find_root().map_err(|error| blind(&format!("{error:#}")))?;
    for (program, hook) in PROGRAMS {
        if let Err(error) = attach_one(ebpf, program, &root.tree) {
            if show_log {
                refusal::show_log(hook, &error);
            }
            let _ = detach(ebpf); // They see nothing that is told without the others.
            return Err(blind(&format!("{hook}: {}", refusal::of_program(&error))));
        }
    }
    Ok(Tap { hooks: PROGRAMS.iter().map(|(_, hook)| (*hook).to_owned()).collect(), limit: root.limit })
}

/// Detaches what is attached.
///
/// # Errors
/// When a program cannot be detached.
pub(super) fn detach(ebpf: &mut Ebpf) -> Result<()> {
    for (program, hook) in PROGRAMS.iter().rev() {
        let unloaded = match ebpf.program_mut(program) {
            Some(Program::CgroupSkb(program)) => program.unload(),
            Some(Program::CgroupSockAddr(program)) => program.unload(),
            _ => Ok(()),
        };
        match unloaded {
            Ok(()) | Err(ProgramError::NotLoaded) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot detach {hook}")),
        }
    }
    Ok(())
}

fn attach_one(ebpf: &mut Ebpf, name: &str, root: &File) -> Result<(), ProgramError> {
    // aya makes a link, which implies "beside others" and takes no flag that says so.
    let mode = CgroupAttachMode::Single;
    match ebpf.program_mut(name) {
        Some(Program::CgroupSkb(program)) => {
            program.load()?;
            let direction = program.expected_attach_type().unwrap_or(CgroupSkbAttachType::Ingress);
            program.attach(root, direction, mode).map(drop)
        }
        Some(Program::CgroupSockAddr(program)) => {
            program.load()?;
            program.attach(root, mode).map(drop)
        }
        _ => Err(ProgramError::InvalidName { name: name.to_owned() }),
    }
}

fn blind(why: &str) -> Coverage {
    Coverage { what: "dns".to_owned(), limit: format!("no DNS answer is seen: {why}") }
}

struct Root {
    tree: File,
    limit: Option<Coverage>,
}

/// The root of the cgroup v2 tree, wherever it is mounted.
fn find_root() -> Result<Root> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    let path = cgroup2(&mounts).context("no cgroup v2 tree is mounted (mount -t cgroup2 none /sys/fs/cgroup)")?;
    let tree = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let inode = tree.metadata().with_context(|| format!("cannot look at {}", path.display()))?.ino();
    let limit = (inode != ROOT_INODE).then(|| Coverage {
        what: "dns".to_owned(),
        limit: format!(
            "{} is not the root of the cgroup v2 tree: DNS answers to processes outside of it are not seen",
            path.display()
        ),
    });
    Ok(Root { tree, limit })
}

/// The first mount of the cgroup v2 tree, whole ones before parts (proc_pid_mountinfo(5)).
fn cgroup2(mountinfo: &str) -> Option<PathBuf> {
    let mounts: Vec<(&str, &str)> = mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, file_system) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            (file_system.split(' ').next()? == "cgroup2").then_some((root, point))
        })
        .collect();
    let whole = mounts.iter().find(|(root, _)| *root == "/");
    whole.or(mounts.first()).map(|(_, point)| PathBuf::from(point))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory
26 24 0:24 / /sys/fs/cgroup/unified rw,relatime shared:6 - cgroup2 cgroup2 rw
";

    #[test]
    fn the_tree_is_found_in_the_hybrid_layout() {
        assert_eq!(cgroup2(HYBRID), Some("/sys/fs/cgroup/unified".into()));
    }

    #[test]
    fn a_whole_tree_goes_before_a_part() {
        let part = "30 1 0:30 /../../machine /mnt/part rw - cgroup2 cgroup2 rw\n";
        assert_eq!(cgroup2(&format!("{part}{HYBRID}")), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(cgroup2(part), Some("/mnt/part".into()));
    }

    #[test]
    fn without_a_tree_there_is_none() {
        for mounts in ["", "garbage", "1 2 3 4 5 - ", "25 24 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw\n"] {
            assert_eq!(cgroup2(mounts), None, "{mounts:?}");
        }
    }
}
