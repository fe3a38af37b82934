//! DNS (`--dns`): what a process asks port 53, and what answers it, over UDP. Copied as it is; user space decides what
//! to believe. Cgroup programs on the root of the cgroup v2 tree, so that they see every namespace; they let every
//! packet pass.

use core::{arch::asm, ffi::c_void, ptr::read_volatile};

use aya_ebpf::{
    EbpfContext as _,
    helpers::{
        bpf_get_current_task, bpf_get_current_task_btf, bpf_get_socket_cookie, bpf_ktime_get_boot_ns,
        generated::bpf_skb_load_bytes,
    },
    programs::{SkBuffContext, SockAddrContext},
};
use observer_ebpf::{
    ABSENT, ANSWER_ROOM, DATAGRAM_LEN, DNS_RING_BYTES, Datagram, Direction, PLAIN_ANSWER_ROOM, QUESTION_ROOM,
    SHORT_ANSWER_ROOM, SHORT_QUERY_ROOM, Stat, TaskAccess,
};

use crate::{
    count::stat,
    frozen::{offset, setting},
    maps::{ASKERS, DNS},
    read::{Direct, Probe, Reader},
    sock::Pointer,
    task,
};

/// The port of DNS, RFC 1035 §4.2.
const PORT: u16 = 53;

/// `IPPROTO_UDP`.
const UDP: u8 = 17;

/// Length of an IPv6 header; what follows an extension header is not looked for.
const IPV6_HEADER: u32 = 40;

/// Length of a UDP header.
const UDP_HEADER: u32 = 8;

/// Length of the header of a DNS message: nothing shorter is one.
const DNS_HEADER: u32 = 12;

/// The reader looks at this ring whenever it looks at the findings, and when so much waits.
const WAKE_BYTES: u64 = DNS_RING_BYTES as u64 / 4;

const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 2;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// A UDP packet's ports, host byte order, and where its payload lies.
struct Packet {
    source: u16,
    destination: u16,
    start: u32,
    length: u32,
}

/// A packet leaves a socket, in the context of the process that sends it. Address translation may have changed its
/// destination by now (a container engine's resolver): a connected socket knows what the process asked for, and of
/// others [`on_sendmsg`] has taken note.
#[inline(always)]
pub(crate) fn on_egress(ctx: &SkBuffContext) {
    let Some(packet) = packet(ctx) else { return };
    // SAFETY: the context of a cgroup_skb program.
    let socket = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    if packet.destination == PORT || connected_to(ctx) == PORT {
        note(socket);
    } else if ASKERS.get_ptr(socket).is_none() {
        return;
    }
    if !is_message(ctx, &packet, Direction::ASKED) {
        return;
    }
    let mut head = head(socket, Direction::ASKED);
    asker(&mut head);
    head.bytes = packet.length.min(QUESTION_ROOM as u32);
    if head.bytes <= SHORT_QUERY_ROOM as u32 {
        copy::<{ DATAGRAM_LEN + SHORT_QUERY_ROOM }>(ctx, &head, packet.start);
    } else {
        copy::<{ DATAGRAM_LEN + QUESTION_ROOM }>(ctx, &head, packet.start);
    }
}

/// A packet reaches its socket.
#[inline(always)]
pub(crate) fn on_ingress(ctx: &SkBuffContext) {
    let Some(packet) = packet(ctx) else { return };
    if packet.source != PORT {
        return;
    }
    // SAFETY: the context of a cgroup_skb program.
    let socket = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    if ASKERS.get_ptr(socket).is_none() || !is_message(ctx, &packet, Direction::ANSWERED) {
        return;
    }
    let mut head = head(socket, Direction::ANSWERED);
    if packet.length > ANSWER_ROOM as u32 {
        return stat(Stat::DNS_CUT);
    }
    head.bytes = packet.length;
    if packet.length <= SHORT_ANSWER_ROOM as u32 {
        copy::<{ DATAGRAM_LEN + SHORT_ANSWER_ROOM }>(ctx, &head, packet.start);
    } else if packet.length <= PLAIN_ANSWER_ROOM as u32 {
        copy::<{ DATAGRAM_LEN + PLAIN_ANSWER_ROOM }>(ctx, &head, packet.start);
    } else {
        copy::<{ DATAGRAM_LEN + ANSWER_ROOM }>(ctx, &head, packet.start);
    }
}

/// A process sends through a socket that is not connected, to the address that it gives here.
#[inline(always)]
pub(crate) fn on_sendmsg(ctx: &SockAddrContext) {
    // SAFETY: the context of a cgroup_sock_addr program; the port stands in network byte order in 32 bits.
    let port = unsafe { read_volatile(&raw const (*ctx.sock_addr).user_port) };
    if u16::from_be(port as u16) == PORT {
        // SAFETY: as above.
        note(unsafe { bpf_get_socket_cookie(ctx.as_ptr()) });
    }
}

/// The socket asks: what comes from port 53 is for us to look at.
#[inline(always)]
fn note(socket: u64) {
    if ASKERS.get_ptr(socket).is_none() && ASKERS.insert(socket, 1, 0).is_err() {
        stat(Stat::NOTES_FULL);
    }
}

/// None for anything but UDP that is long enough for DNS.
#[inline(always)]
fn packet(ctx: &SkBuffContext) -> Option<Packet> {
    // The packet begins with the network header, of which either kind is at least so long.
    let ip: [u8; 20] = ctx.load(0).ok()?;
    let (protocol, header) = match ip[0] >> 4 {
        4 => (ip[9], u32::from(ip[0] & 15) * 4),
        _ => (ip[6], IPV6_HEADER),
    };
    if protocol != UDP {
        return None;
    }
    let ports: [u16; 2] = ctx.load(header as usize).ok()?;
    let start = header + UDP_HEADER;
    let length = ctx.len().checked_sub(start)?;
    if length < DNS_HEADER {
        return None;
    }
    Some(Packet { source: u16::from_be(ports[0]), destination: u16::from_be(ports[1]), start, length })
}

/// Whether a payload begins as a query with one question does, or as an answer. Other protocols use port 53 too, to get
/// through firewalls, and much faster.
#[inline(always)]
fn is_message(ctx: &SkBuffContext, packet: &Packet, direction: u32) -> bool {
    let Ok(header) = ctx.load::<[u8; 6]>(packet.start as usize) else { return false };
    let answers = header[2] & 0x80 != 0;
    if direction == Direction::ANSWERED {
        return answers;
    }
    // The operation is a plain query.
    !answers && header[2] & 0x78 == 0 && header[4] == 0 && header[5] == 1
}

/// The remote port of a connected socket, as the process gave it; 0 of any other.
#[inline(always)]
fn connected_to(ctx: &SkBuffContext) -> u16 {
    // SAFETY: the context of a cgroup_skb program, and the socket that it names.
    unsafe {
        let sk = read_volatile(&raw const (*ctx.skb.skb).__bindgen_anon_2.sk);
        if sk.is_null() {
            return 0;
        }
        // Network byte order. Kernels before 5.18 know it as 32 bits wide, later ones take such a load as well.
        u16::from_be(read_volatile((&raw const (*sk).dst_port).cast::<u32>()) as u16)
    }
}

#[inline(always)]
fn head(socket: u64, direction: u32) -> Datagram {
    // SAFETY: helper without arguments.
    let time_ns = unsafe { bpf_ktime_get_boot_ns() };
    let zero: u32;
    // LLVM would clear several fields by `memset`, here a loop over bytes.
    // SAFETY: loads a register.
    unsafe { asm!("{0} = 0", out(reg) zero) };
    let start_ns = u64::from(zero);
    Datagram { time_ns, socket, start_ns, tgid: zero, netns: zero, direction, bytes: zero }
}

/// The running task: it sends the query.
#[inline(always)]
fn asker(head: &mut Datagram) {
    let access = setting!(task_access);
    if access == TaskAccess::BTF {
        // SAFETY: helper without arguments; a BTF pointer that the verifier follows.
        look_at::<Direct>(unsafe { bpf_get_current_task_btf() }.cast_const().cast(), head);
    } else if access == TaskAccess::PROBE {
        // SAFETY: helper without arguments.
        look_at::<Probe>(unsafe { bpf_get_current_task() } as *const c_void, head);
    }
}

#[inline(always)]
fn look_at<R: Reader>(task: *const c_void, head: &mut Datagram) {
    if offset!(task_tgid) != ABSENT && !task::is_kernel_thread::<R>(task) {
        // SAFETY: the running task.
        head.tgid = unsafe { R::load(task, offset!(task_tgid)) };
        head.start_ns = task::start_ns::<R>(task);
    }
    if offset!(task_nsproxy) == ABSENT || offset!(nsproxy_net) == ABSENT {
        return;
    }
    // SAFETY: the running task, its namespaces and one of them.
    unsafe {
        let namespaces = R::load::<Pointer>(task, offset!(task_nsproxy)).0;
        if namespaces.is_null() {
            return; // It is exiting.
        }
        let net = R::load::<Pointer>(namespaces, offset!(nsproxy_net)).0;
        if !net.is_null() {
            head.netns = R::load(net, offset!(net_inum));
        }
    }
}

/// Copies the head and `head.bytes` of the packet into a record of LENGTH bytes.
#[inline(always)]
fn copy<const LENGTH: usize>(ctx: &SkBuffContext, head: &Datagram, start: u32) {
    let (bytes, length): (u64, usize);
    // LLVM has seen the bounds of the one before, and would leave out what the verifier must see here. Of the other it
    // would make one reservation of either length, and verifiers before 6.12 forget which it was.
    // SAFETY: loads two registers.
    unsafe {
        asm!("{0} = {1}", out(reg) bytes, in(reg) u64::from(head.bytes));
        asm!("{0} = {1}", out(reg) length, const LENGTH);
    }
    // Not "is 0", from which verifiers before 6.12 learn nothing.
    if bytes < u64::from(DNS_HEADER) {
        return;
    }
    let Some(mut record) = DNS.reserve_bytes(length, 0) else { return stat(Stat::DNS_LOST) };
    // SAFETY: the record is LENGTH bytes, aligned to eight, of which the payload takes what the head leaves.
    let failed = unsafe {
        record.as_mut_ptr().cast::<Datagram>().write(*head);
        let room = record.as_mut_ptr().add(DATAGRAM_LEN);
        if bytes > (LENGTH - DATAGRAM_LEN) as u64 {
            -1
        } else {
            bpf_skb_load_bytes(ctx.as_ptr(), start, room.cast(), bytes as u32)
        }
    };
    if failed == 0 {
        let much = DNS.query(BPF_RB_AVAIL_DATA) >= WAKE_BYTES;
        record.submit(if much { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP });
    } else {
        record.discard(BPF_RB_NO_WAKEUP);
    }
}
