//! Boots a kernel in QEMU and collects what comes out of it.
//!
//! Everything leaves the guest through I/O ports: the programs' output by `isa-debugcon`, the end by
//! `isa-debug-exit`. That needs no driver and no module, so it is the same on every kernel. The CPU is emulated
//! (TCG): it needs no /dev/kvm, which containers and rented machines seldom have, and a boot takes two seconds.

use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    kernel::{self, Kernel},
    tsc,
};
use crate::process;

/// Everything a guest wrote.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The reports of PID 1, which `report` understands.
    pub(crate) control: String,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The kernel's console and what QEMU itself said: read only when the machine failed.
    pub(crate) console: String,
    /// How QEMU ended.
    pub(crate) end: String,
}

/// Boots once and waits for the end, `limit` at most. The files of the machine live in `dir`.
pub(crate) fn boot(kernel: &Kernel, initramfs: &[u8], dir: &Path, memory_mib: u32, limit: Duration) -> Result<Output> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::write(dir.join("initramfs"), initramfs).context("cannot write the initramfs")?;
    let said = fs::File::create(dir.join("qemu")).context("cannot write QEMU's messages")?;
    let mut command = qemu(kernel, dir, memory_mib)?;
    command.stdin(Stdio::null()).stdout(said.try_clone().context("QEMU's messages")?).stderr(said);
    let end = wait(&mut command, limit)?;
    // A guest that died early has not made every file.
    let bytes = |name: &str| fs::read(dir.join(name)).unwrap_or_default();
    let text = |name: &str| String::from_utf8_lossy(&bytes(name)).into_owned();
    let output = Output {
        control: text("control"),
        stdout: bytes("stdout"),
        stderr: bytes("stderr"),
        console: text("qemu") + &text("console"),
        end: end.map_or_else(|| format!("killed after {} s", limit.as_secs()), |status| status.to_string()),
    };
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    Ok(output)
}

fn qemu(kernel: &Kernel, dir: &Path, memory_mib: u32) -> Result<Command> {
    let mut command = Command::new(kernel::tool("qemu-system-x86_64")?);
    // thread=single: with a host thread per guest CPU, one boot in a hundred dies of "Oops: int3" where the kernel
    // patches its own code (seen with QEMU 7.2).
    command.args(["-M", "pc", "-accel", "tcg,thread=single,tb-size=256", "-cpu", "qemu64", "-smp", "1"]);
    command.arg("-m").arg(memory_mib.to_string());
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    for (name, port) in [("stdout", "0xe9"), ("stderr", "0xea"), ("control", "0xeb")] {
        // QEMU's options end at a comma; a doubled one is part of the value.
        let path = dir.join(name).display().to_string().replace(',', ",,");
        command.arg("-chardev").arg(format!("file,id={name},path={path}"));
        command.arg("-device").arg(format!("isa-debugcon,iobase={port},chardev={name}"));
    }
    let console = dir.join("console").display().to_string().replace(',', ",,");
    command.arg("-chardev").arg(format!("file,id=console,path={console}")).args(["-serial", "chardev:console"]);
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    command.arg("-kernel").arg(kernel.vmlinux()).arg("-initrd").arg(dir.join("initramfs"));
    command.arg("-append").arg(format!(
        // panic=-1 with -no-reboot: a panic ends QEMU at once. tsc…: the guest's own calibration now and then fails
        // on a busy host, and then it hangs or its clock runs wrong. notests: saves 0.3 to 0.7 s of self-tests.
        // The last two: a tenth of the time, for what is no matter of ours.
        "console=ttyS0 quiet panic=-1 tsc=reliable tsc_early_khz={} cryptomgr.notests mitigations=off init_on_alloc=0",
        tsc::khz()
    ));
    Ok(command)
}

/// Runs to the end or the limit; `None` when it had to be killed.
fn wait(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>> {
    const POLL: Duration = Duration::from_millis(20);
    let start = Instant::now();
    let context = process::line(command);
    let mut child = command.spawn().with_context(|| format!("cannot start `{context}`"))?;
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().context("waiting for QEMU")? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    child.kill().context("killing QEMU")?;
    child.wait().context("waiting for QEMU")?;
    Ok(None)
}
