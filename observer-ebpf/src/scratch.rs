//! Working memory of a program, in a per-CPU map instead of on the stack.
//!
//! What a program writes into a map the verifier forgets: paths that differ only in what they found join again, and
//! the code behind them is walked once. On the stack each path keeps its own constants, and kernel 6.1 gave up after a
//! million instructions where it now walks some thousands.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use observer_ebpf::{Attribution, Churn, Endpoints, Kind, Owner, Pair, Person, Record, Source, Stat};

use crate::count;

/// Who needs memory: one slot a program, for a program may be interrupted by another one.
pub(crate) mod story {
    pub(crate) const CLOSE: u32 = 0;
    pub(crate) const STATE: u32 = 1;
    pub(crate) const RESET: u32 = 2;
    pub(crate) const DESTROY: u32 = 3;
    pub(crate) const ACCEPT: u32 = 4;
    pub(crate) const RECEIVED: u32 = 5;
    pub(crate) const ANSWER: u32 = 6;
    pub(super) const COUNT: u32 = 7;
}

/// Runs of one program that may be under way on a CPU: kernels before 5.19 let a softirq start a tracepoint program
/// while the same one is running.
const LEVELS: u32 = 2;

/// One run's memory.
#[repr(C)]
pub(crate) struct Scratch {
    busy: u32,
    /// 1 when the running task made the act.
    pub(crate) by_current: u32,
    /// 1 for a connection that is only beginning: an earlier one of the same ends is another story.
    pub(crate) begins: u32,
    run: u32,
    /// Key of a socket that connects: its connector is the process; 0 for any other.
    pub(crate) connecting: u64,
    /// The finding.
    pub(crate) record: Record,
    /// A process: the running task, or whoever is to be counted.
    pub(crate) who: Person,
    /// Hash of the ends in the record, for [`crate::owners::put`].
    pub(crate) hash: u64,
    /// An owner on its way into the map.
    pub(crate) owner: Owner,
    /// The connection as its peer sees it.
    pub(crate) mirror: Endpoints,
    /// Process and peer, whose connections are counted.
    pub(crate) pair: Pair,
    /// What they start with: a process, and zeros.
    pub(crate) churn: Churn,
    /// What is counted of a connection that ends.
    pub(crate) end: End,
}

/// A connection that ends, for the counters of its process and peer.
#[repr(C)]
pub(crate) struct End {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) lifetime_us: u64,
    /// Smoothed round-trip time, µs; 0 when there is none.
    pub(crate) srtt_us: u32,
    /// Segments with the client's data; `ABSENT` when they are not counted.
    pub(crate) segments: u32,
    pub(crate) role: u32,
    /// 1 or 0: its beginning was not seen; the close reset it; the peer's FIN had come before.
    pub(crate) unseen: u32,
    pub(crate) flagged: u32,
    pub(crate) peer_first: u32,
}

/// A run's memory by its number, for functions that may take numbers only: see [`crate::tell`].
#[derive(Clone, Copy)]
pub(crate) struct Run(pub(crate) u32);

impl Run {
    /// The memory; it is there.
    #[inline(always)]
    pub(crate) fn memory(self) -> Option<&'static mut Scratch> {
        // SAFETY: this CPU's memory, and this run has it.
        SCRATCH.get_ptr_mut(self.0).map(|scratch| unsafe { &mut *scratch })
    }
}

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(story::COUNT * LEVELS, 0);

/// Memory for a run, with a blank record about a close. To be given back with [`Scratch::release`].
#[inline(always)]
pub(crate) fn take(story: u32) -> Option<&'static mut Scratch> {
    let scratch = take_for_owner(story)?;
    scratch.by_current = 0;
    scratch.begins = 0;
    scratch.connecting = 0;
    scratch.record = BLANK;
    Some(scratch)
}

/// Memory for a run that remembers an owner and reports nothing, which is most of what a clean connection costs: of the
/// record only the endpoints may be used, once they are filled in. To be given back with [`Scratch::release`].
#[inline(always)]
pub(crate) fn take_for_owner(story: u32) -> Option<&'static mut Scratch> {
    let scratch = match slot(story * LEVELS) {
        Some(scratch) => scratch,
        None => match slot(story * LEVELS + 1) {
            Some(scratch) => scratch,
            None => {
                count::stat(Stat::NESTED);
                return None;
            }
        },
    };
    scratch.busy = 1;
    Some(scratch)
}

#[inline(always)]
fn slot(index: u32) -> Option<&'static mut Scratch> {
    let scratch = Run(index).memory()?;
    // It tells when a run that was interrupted has this one.
    if scratch.busy != 0 {
        return None;
    }
    scratch.run = index;
    Some(scratch)
}

impl Scratch {
    /// Its number.
    #[inline(always)]
    pub(crate) fn run(&self) -> Run {
        Run(self.run)
    }

    /// Gives the memory back.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        self.busy = 0;
    }
}

const BLANK: Record = Record {
    time_ns: 0,
    born_ns: 0,
    closed_ns: 0,
    received_bytes: 0,
    sent_bytes: 0,
    endpoints: Endpoints { local: [0; 4], peer: [0; 4], local_port: 0, peer_port: 0, netns: 0 },
    process: Person::NOBODY,
    owner: Person::NOBODY,
    counterpart: Person::NOBODY,
    unread_bytes: 0,
    unacked_bytes: 0,
    unsent_bytes: 0,
    segment_bytes: 0,
    reset_seq: 0,
    unaccepted: 0,
    srtt_us: 0,
    reason: 0,
    flags: 0,
    present: 0,
    kind: Kind::CLOSE,
    cause: 0,
    source: Source::PREDICTED,
    attribution: Attribution::NONE,
    owner_attribution: Attribution::NONE,
    counterpart_attribution: Attribution::NONE,
    role: 0,
    old_state: 0,
    stack_bytes: 0,
    kernel_stack_bytes: 0,
    stack_room: 0,
    top_bytes: 0,
};
