//! One finding on its way out: counted, filtered, written into the ring with the user stack behind it.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_stack, bpf_ktime_get_boot_ns},
};
use observer_ebpf::{
    Attribution, Cause, Closer, Endpoints, Kind, Note, RECORD_LEN, Record, Role, Source, Stat, present, record_flag,
};

use crate::{
    count, filter,
    frozen::{offset, setting},
    maps::EVENTS,
    notes,
    read::Reader,
    sock::Sock,
    task::{self, EXITING_KNOWN, LEADER_KNOWN},
};

const BPF_F_USER_STACK: u64 = 1 << 8;
const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 1 << 1;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// What was found, before anybody asks whether to report it.
pub(crate) struct Finding {
    pub(crate) kind: u8,
    pub(crate) cause: u8,
    pub(crate) source: u8,
    pub(crate) reason: Option<u32>,
    pub(crate) reset_sent: bool,
    pub(crate) disagreement: bool,
    /// The running task made the act.
    pub(crate) by_current: bool,
    pub(crate) old_state: u8,
    pub(crate) unread: u32,
    pub(crate) inet6: bool,
}

impl Finding {
    /// A finding about a close by the running task.
    #[inline(always)]
    pub(crate) fn close(cause: u8, old_state: u8, unread: u32) -> Self {
        Self {
            kind: Kind::CLOSE,
            cause,
            source: Source::PREDICTED,
            reason: None,
            reset_sent: false,
            disagreement: false,
            by_current: true,
            old_state,
            unread,
            inet6: false,
        }
    }
}

/// Counts the act; true when it is to be reported as far as cause, namespace and connection go.
#[inline(always)]
fn counted(finding: &Finding, ends: &Endpoints) -> bool {
    if let Some(total) = count::total(ends.netns, finding.cause) {
        total.acts += 1;
        total.resets += u64::from(finding.reset_sent);
        total.unread_bytes += u64::from(finding.unread);
    }
    if finding.disagreement {
        count::stat(Stat::DISAGREEMENTS);
    }
    filter::cause(finding.cause, finding.unread) && filter::connection(ends)
}

/// Reports a finding about a full socket.
#[inline(always)]
pub(crate) fn about_socket<R: Reader>(ctx: &impl EbpfContext, sock: &Sock<R>, note: Option<&Note>, finding: &Finding) {
    let ends = sock.endpoints();
    if !counted(finding, &ends) {
        return;
    }
    let Some((who, attribution)) = attribute(finding, &ends) else { return };
    submit(ctx, finding, &ends, &who, attribution, |record| {
        record.present |= present::ENDPOINTS | present::UNREAD;
        record.unread_bytes = finding.unread;
        let fin = sock.fin_received();
        if fin {
            record.flags |= record_flag::FIN_RECEIVED;
        }
        if let Some(received) = sock.tcp_field::<u64>(offset!(bytes_received)) {
            record.received_bytes = received.saturating_sub(u64::from(fin));
            record.present |= present::RECEIVED;
        }
        if let (Some(sent), Some(again)) =
            (sock.tcp_field::<u64>(offset!(bytes_sent)), sock.tcp_field::<u64>(offset!(bytes_retrans)))
        {
            record.sent_bytes = sent.saturating_sub(again);
            record.present |= present::SENT;
        }
        if let Some(srtt) = sock.tcp_field::<u32>(offset!(srtt_us)) {
            record.srtt_us = srtt >> 3; // kept in eighths of a microsecond
            record.present |= present::SRTT;
        }
        if let Some(note) = note {
            record.born_ns = note.born_ns;
            record.role = note.role;
        }
    });
}

/// Reports a finding of which only the ends are known.
#[inline(always)]
pub(crate) fn about_endpoints(ctx: &impl EbpfContext, ends: Option<&Endpoints>, netns: u32, finding: &Finding) {
    let unknown = Endpoints { local: [0; 4], peer: [0; 4], local_port: 0, peer_port: 0, netns };
    let known = ends.is_some();
    let ends = ends.unwrap_or(&unknown);
    if !counted(finding, ends) {
        return;
    }
    let Some((who, attribution)) = attribute(finding, ends) else { return };
    submit(ctx, finding, ends, &who, attribution, |record| {
        if known {
            record.present |= present::ENDPOINTS;
        }
    });
}

/// Whose act it is; None when a process filter leaves it out.
#[inline(always)]
fn attribute(finding: &Finding, ends: &Endpoints) -> Option<(Closer, u8)> {
    if finding.by_current {
        let who = task::current();
        return filter::process(&who).then_some((who, Attribution::CURRENT));
    }
    // Closers were filtered when they were remembered.
    if let Some(closer) = notes::closer_of(ends) {
        return Some((*closer, Attribution::CLOSER));
    }
    if filter::asks_for_process() {
        count::stat(Stat::UNATTRIBUTED);
        return None;
    }
    let nobody = Closer {
        closed_ns: 0,
        cgroup_id: 0,
        tgid: 0,
        pid: 0,
        uid: 0,
        flags: 0,
        comm: [0; 4],
        thread: [0; 4],
    };
    Some((nobody, Attribution::NONE))
}

/// Writes the record into the ring. A failed reservation is counted under its namespace and cause.
#[inline(always)]
fn submit(
    ctx: &impl EbpfContext,
    finding: &Finding,
    ends: &Endpoints,
    who: &Closer,
    attribution: u8,
    fill: impl FnOnce(&mut Record),
) {
    let total = count::total(ends.netns, finding.cause);
    // A task that is exiting has given up its memory: there is no user stack to take.
    let stack = if finding.by_current && who.flags & record_flag::EXITING == 0 { 8 * setting!(stack_depth) } else { 0 };
    let reserved = if stack > 0 {
        EVENTS.reserve_bytes(RECORD_LEN + 8 * setting!(stack_depth) as usize, 0)
    } else {
        EVENTS.reserve_bytes(RECORD_LEN, 0)
    };
    if let Some(total) = total {
        total.submitted += 1;
        total.lost += u64::from(reserved.is_none());
    }
    let Some(mut bytes) = reserved else { return };
    let start = bytes.as_mut_ptr();
    // SAFETY: the reservation is at least RECORD_LEN bytes, aligned to eight.
    let record = unsafe { &mut *start.cast::<Record>() };
    // SAFETY: helper without arguments.
    record.time_ns = unsafe { bpf_ktime_get_boot_ns() };
    record.born_ns = 0;
    record.closed_ns = 0;
    record.cgroup_id = who.cgroup_id;
    record.received_bytes = 0;
    record.sent_bytes = 0;
    record.endpoints = *ends;
    record.tgid = who.tgid;
    record.pid = who.pid;
    record.uid = who.uid;
    record.unread_bytes = 0;
    record.srtt_us = 0;
    record.reason = 0;
    record.flags = who.flags & record_flag::EXITING;
    record.present = 0;
    record.comm = who.comm;
    record.thread = who.thread;
    record.kind = finding.kind;
    record.cause = finding.cause;
    record.source = finding.source;
    record.attribution = attribution;
    record.role = Role::UNKNOWN;
    record.old_state = finding.old_state;
    record.padding = 0;
    record.stack_bytes = 0;
    record.reserved = 0;
    if who.flags & LEADER_KNOWN != 0 {
        record.present |= present::COMM;
    }
    if who.flags & EXITING_KNOWN != 0 {
        record.present |= present::EXITING;
    }
    if finding.old_state != 0 {
        record.present |= present::STATE;
    }
    if attribution == Attribution::CLOSER {
        record.closed_ns = who.closed_ns;
    }
    if let Some(reason) = finding.reason {
        record.reason = reason;
        record.present |= present::REASON;
    }
    if finding.reset_sent {
        record.flags |= record_flag::RESET_SENT;
    }
    if finding.inet6 {
        record.flags |= record_flag::FAMILY_INET6;
    }
    if finding.disagreement {
        record.flags |= record_flag::DISAGREEMENT;
    }
    fill(record);
    if stack > 0 {
        // SAFETY: the reservation has room for the stack behind the head: both sizes come from `stack_depth`.
        let taken = unsafe {
            bpf_get_stack(ctx.as_ptr(), start.add(RECORD_LEN).cast(), 8 * setting!(stack_depth), BPF_F_USER_STACK)
        };
        // SAFETY: as for `record`.
        unsafe { addr_of_mut!((*start.cast::<Record>()).stack_bytes).write(taken as i32) };
    }
    bytes.submit(wake());
}

/// Waking the reader costs more than everything else here, so it is left to its own clock until much waits.
#[inline(always)]
fn wake() -> u64 {
    let limit = u64::from(setting!(wake_bytes));
    if limit == 0 {
        0 // The kernel wakes a reader that has caught up.
    } else if EVENTS.query(BPF_RB_AVAIL_DATA) >= limit {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    }
}

/// An orderly close: counted, remembered for late data, reported on request.
#[inline(always)]
pub(crate) fn clean_close<R: Reader>(ctx: &impl EbpfContext, sock: &Sock<R>, note: Option<&Note>, old_state: u8) {
    remember(sock);
    if setting!(causes) & Cause::bit(Cause::CLEAN) != 0 {
        let mut finding = Finding::close(Cause::CLEAN, old_state, 0);
        finding.inet6 = sock.common.family() == crate::sock::AF_INET6;
        about_socket(ctx, sock, note, &finding);
    } else if let Some(total) = count::total(sock.common.netns(), Cause::CLEAN) {
        total.acts += 1;
    }
}

/// Remembers the running task as the closer of the connection, if it is observed.
#[inline(always)]
pub(crate) fn remember<R: Reader>(sock: &Sock<R>) {
    let netns = sock.common.netns();
    if !filter::netns(netns) {
        return;
    }
    let who = task::current();
    if filter::process(&who) {
        notes::remember_closer(&sock.endpoints(), &who);
    }
}
