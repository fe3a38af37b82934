//! The frozen settings of the programs, from the options and the kernel's BTF.

use observer_ebpf::{ABSENT, Cause, Filters, Selection, Settings, TaskAccess};

use super::{
    btf::{KernelTypes, SockFlags},
    owners::OwnerTable,
    refusal,
};
use crate::{
    options::{FilterSet, Options},
    plan::Plan,
};

/// Position of `reason` in `tcp_send_reset(sk, skb, reason)`: the programs read it there and nowhere else.
const REASON_POSITION: u32 = 2;

/// Bytes in the ring at which the reader is woken before its time.
const WAKE_BYTES_MOST: u32 = 256 << 10;

/// What the running kernel allows, found once.
pub(crate) struct Abilities {
    flags: SockFlags,
    reason_arg: u32,
    repair: (u32, u32),
    probe_read: bool,
    task_btf: bool,
    stack_top: bool,
}

impl Abilities {
    /// Looks at BTF and the lockdown state.
    ///
    /// # Errors
    /// When a flag without which nothing can be told is missing.
    pub(crate) fn of(types: &KernelTypes) -> anyhow::Result<Self> {
        let probe_read = refusal::lockdown() != "confidentiality";
        // A helper came with the enumerator of its name.
        let helpers = types.enumerators("bpf_func_id");
        let has_helper = |name: &str| helpers.contains_key(name);
        Ok(Self {
            flags: SockFlags::of(types)?,
            reason_arg: reason_position(types).unwrap_or(ABSENT),
            repair: types.bit_field("tcp_sock", "repair").unwrap_or((ABSENT, 0)),
            probe_read,
            task_btf: has_helper("BPF_FUNC_get_current_task_btf"),
            // Other processors keep the return address of such a function in a register.
            stack_top: cfg!(target_arch = "x86_64") && probe_read && has_helper("BPF_FUNC_task_pt_regs"),
        })
    }

    /// Whether the kernel tells why it resets.
    pub(crate) fn has_reasons(&self) -> bool {
        self.reason_arg != ABSENT
    }

    /// Whether packet headers may be read.
    pub(crate) fn probe_read(&self) -> bool {
        self.probe_read
    }

    /// The settings for a plan.
    pub(crate) fn settings(&self, options: &Options, owners: OwnerTable, plan: Plan) -> Settings {
        let task_access = match (self.task_btf, self.probe_read) {
            (true, _) => TaskAccess::BTF,
            (false, true) => TaskAccess::PROBE,
            (false, false) => TaskAccess::NONE,
        };
        Settings {
            selection: selection(&options.filters, options.has_command()),
            reloadable: u32::from(options.config.is_some()),
            stacks: options.stacks.bits(),
            stack_depth: options.stack_depth,
            stack_top: u32::from(self.stack_top),
            churn: u32::from(options.churn.is_some()),
            wake_bytes: if options.latency.is_zero() { 0 } else { (options.ring_bytes / 4).min(WAKE_BYTES_MOST) },
            task_access,
            probe_read: u32::from(self.probe_read),
            close_hook: u32::from(plan.has_close_hook()),
            reason_arg: self.reason_arg,
            sock_dead: self.flags.dead,
            sock_done: self.flags.done,
            sock_linger: self.flags.linger,
            sock_keepopen: self.flags.keepopen,
            repair_offset: self.repair.0,
            repair_mask: self.repair.1,
            owner_mask: owners.sets - 1,
            owner_seed: owners.seed,
        }
    }
}

/// Index of the parameter `reason` of the tracepoint `tcp_send_reset`; None before 6.10.
pub(crate) fn reason_position(types: &KernelTypes) -> Option<u32> {
    let position = types.tracepoint_enum_arg("tcp_send_reset", "sk_rst_reason");
    position.filter(|position| *position == REASON_POSITION)
}

/// What filters come to, but for their values.
pub(crate) fn selection(filters: &FilterSet, has_command: bool) -> Selection {
    Selection {
        filters: filter_bits(filters, has_command),
        causes: cause_mask(filters),
        storied: if filters.causes.contains(&crate::cause::Cause::NoSocket) { 0 } else { Cause::bit(Cause::NO_SOCKET) },
        min_unread: filters.min_unread,
        children: u32::from(filters.children),
    }
}

fn filter_bits(filters: &FilterSet, has_command: bool) -> u32 {
    let bits = [
        (!filters.pids.is_empty() || has_command, Filters::PID),
        (!filters.comms.is_empty(), Filters::COMM),
        (!filters.uids.is_empty(), Filters::UID),
        (!filters.ports.is_empty(), Filters::PORT),
        (!filters.peers.is_empty(), Filters::PEER),
        (!filters.netns.is_empty(), Filters::NETNS),
    ];
    bits.iter().filter(|(on, _)| *on).fold(0, |mask, (_, bit)| mask | bit)
}

/// Causes to report: those asked for, or all but the ones that are not findings by themselves.
fn cause_mask(filters: &FilterSet) -> u32 {
    let mut mask = if filters.causes.is_empty() {
        let all = Cause::ALL.iter().map(|(code, _)| *code);
        all.filter(|code| *code != Cause::CLEAN).fold(0, |mask, code| mask | Cause::bit(code))
    } else {
        filters.causes.iter().fold(0, |mask, cause| mask | Cause::bit(cause.code()))
    };
    if filters.all_closes {
        mask |= Cause::bit(Cause::CLEAN);
    }
    mask
}
