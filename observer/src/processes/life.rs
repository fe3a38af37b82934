//! Bytes from the ring of lives to steps. Total: any bytes give a step or nothing.

use observer_ebpf::{Life as Head, life_flag};
use zerocopy::FromBytes as _;

use super::FileId;
use crate::procfile;

/// One step of a process's life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// [`observer_ebpf::Step`].
    pub step: u32,
    /// When, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Process id.
    pub pid: u32,
    /// When the process started, ns of CLOCK_BOOTTIME.
    pub start_ns: u64,
    /// The parent's id and start, at a fork.
    pub parent: u32,
    /// When the parent started, likewise.
    pub parent_start_ns: u64,
    /// Name of the process; at a fork, of the parent.
    pub comm: String,
    /// Its control group (v2), at an `execve()`; 0 when unknown.
    pub cgroup: u64,
    /// It has a controlling terminal.
    pub terminal: bool,
    /// Path of the program as given to the kernel, at an `execve()`.
    pub path: Vec<u8>,
    /// Arguments, NUL-separated.
    pub arguments: Vec<u8>,
    /// There were more.
    pub truncated: bool,
    /// Which file.
    pub file: Option<FileId>,
    /// The program's own code in memory.
    pub text: Option<(u64, u64)>,
}

/// Decodes one record of the ring.
#[must_use]
pub fn lives(bytes: &[u8]) -> Option<Life> {
    let (head, rest) = Head::read_from_prefix(bytes).ok()?;
    let path_bytes = usize::try_from(head.path_bytes).ok()?;
    let argument_bytes = usize::try_from(head.argument_bytes).ok()?;
    let path = rest.get(..path_bytes)?;
    let arguments = rest.get(path_bytes..)?.get(..argument_bytes)?;
    Some(Life {
        step: head.step,
        time_ns: head.time_ns,
        pid: head.tgid,
        start_ns: head.start_ns,
        parent: head.parent,
        parent_start_ns: head.parent_start_ns,
        comm: procfile::comm_text(&head.comm.map(u32::to_ne_bytes).concat()),
        cgroup: head.cgroup_id,
        terminal: head.flags & life_flag::TERMINAL != 0,
        path: path.to_owned(),
        arguments: arguments.to_owned(),
        truncated: head.flags & life_flag::TRUNCATED != 0,
        file: (head.inode != 0).then(|| FileId::of_kernel(head.device, head.inode)),
        text: (head.text_start != 0 && head.text_start < head.text_end).then_some((head.text_start, head.text_end)),
    })
}
