//! The packaged service under systemd, in an emulated machine: the unit's restrictions, notifications, watchdog and restarts.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{Subject, debian};
use crate::{dist::tools, process, vm};

/// What runs in the machine, and says a line for each thing that it has seen.
const SCRIPT: &str = include_str!("service.sh");

/// Runs it once the service was started.
const UNIT: &str =
    "[Unit]\nAfter=conn-observer.service\n[Service]\nType=oneshot\nExecStart=/check\nTimeoutStartSec=infinity\n";

/// The kernel of the matrix, which is that of a Debian of today.
const KERNEL: &str = "6.12";

/// Emulated, systemd alone takes a minute.
const LIMIT: Duration = Duration::from_secs(900);

/// The root lies in memory twice while it is unpacked.
const MEMORY_MIB: u32 = 2_048;

/// What nobody looks at in there.
const LEFT_OUT: [&str; 6] =
    ["usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/zoneinfo", "var/cache", "var/lib/apt"];

/// Units that need what the machine has not, or take time.
const MASKED: [&str; 6] = [
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "getty.target",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "serial-getty@ttyS0.service",
];

pub(super) fn runs_under_systemd(subject: &Subject<'_>) -> Result<()> {
    let root = tools::fresh_folder("systemd")?;
    let system = debian::system("systemd", "systemd-sysv,procps")?;
    process::read(Command::new("tar").arg("-xf").arg(system).arg("-C").arg(&root))?;
    debian::install(subject, &root)?;
    prepare(&root).with_context(|| format!("cannot prepare {}", root.display()))?;
    let archive = pack(&root)?;
    let initramfs = fs::read(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let console = vm::console(KERNEL, &initramfs, MEMORY_MIB, LIMIT)?;
    let said: Vec<&str> = console.lines().filter_map(|line| line.trim().strip_prefix("service: ")).collect();
    let wanted = SCRIPT.lines().filter(|line| line.starts_with("until_true '")).count();
    let seen = said.iter().filter(|line| line.starts_with("ok: ")).count();
    if said.last() != Some(&"end") || seen != wanted || said.iter().any(|line| line.starts_with("FAILED")) {
        let end: String = console.chars().skip(console.chars().count().saturating_sub(6_000)).collect();
        bail!("{seen} of {wanted}: {said:#?}\nthe console's end:\n{end}");
    }
    Ok(())
}

/// systemd is PID 1, and the script's unit belongs to what it starts.
fn prepare(root: &Path) -> Result<()> {
    for folder in LEFT_OUT {
        match fs::remove_dir_all(root.join(folder)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    symlink("/lib/systemd/systemd", root.join("init"))?;
    let script = root.join("check");
    fs::write(&script, SCRIPT)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("check.service"), UNIT)?;
    symlink("/etc/systemd/system/check.service", units.join("multi-user.target.wants/check.service"))?;
    for unit in MASKED {
        symlink("/dev/null", units.join(unit))?;
    }
    Ok(())
}

/// An initramfs.
fn pack(root: &Path) -> Result<PathBuf> {
    let archive = root.with_extension("cpio");
    let mut command = Command::new("sh");
    command.current_dir(root).arg("-c").arg("find . | cpio --quiet --create --format=newc > \"$0\"").arg(&archive);
    process::read(&mut command)?;
    Ok(archive)
}
