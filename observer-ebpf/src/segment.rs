//! The segment that a RST answers: the only source of addresses when no full socket was found.

use core::ffi::c_void;

use observer_ebpf::{ABSENT, Record, present};

use crate::{
    frozen::{offset, setting},
    read::{Probe, Reader},
    sock::{Pointer, mapped},
};

/// Flags of a TCP header, RFC 9293 §3.1.
mod tcp_flag {
    pub(super) const FIN: u8 = 1;
    pub(super) const SYN: u8 = 1 << 1;
    pub(super) const RST: u8 = 1 << 2;
    pub(super) const ACK: u8 = 1 << 4;
}

/// One field of the segment's `struct tcp_skb_cb`.
#[inline(always)]
fn control<R: Reader, T: Copy + Default>(skb: *const c_void, offset: u32) -> Option<T> {
    if offset!(sk_buff_cb) == ABSENT || offset == ABSENT {
        return None;
    }
    // SAFETY: the hook gave the segment.
    Some(unsafe { R::load(skb, offset!(sk_buff_cb) + offset) })
}

/// The segment is a RST, to which there is no answer.
#[inline(always)]
pub(crate) fn is_reset<R: Reader>(skb: *const c_void) -> bool {
    control::<R, u8>(skb, offset!(cb_tcp_flags)).is_none_or(|flags| flags & tcp_flag::RST != 0)
}

/// The segment asks for a connection.
#[inline(always)]
pub(crate) fn is_syn<R: Reader>(skb: *const c_void) -> bool {
    control::<R, u8>(skb, offset!(cb_tcp_flags))
        .is_some_and(|flags| flags & (tcp_flag::SYN | tcp_flag::ACK) == tcp_flag::SYN)
}

/// Payload of the segment, and the number of the RST that answers it (RFC 9293 §3.10.7.1): the number that it
/// acknowledges; for a segment without ACK the RST has no number, and acknowledges the segment's end.
#[inline(always)]
pub(crate) fn describe<R: Reader>(record: &mut Record, skb: *const c_void) {
    let (Some(flags), Some(seq), Some(end), Some(ack)) = (
        control::<R, u8>(skb, offset!(cb_tcp_flags)),
        control::<R, u32>(skb, offset!(cb_seq)),
        control::<R, u32>(skb, offset!(cb_end_seq)),
        control::<R, u32>(skb, offset!(cb_ack_seq)),
    ) else {
        return;
    };
    let numbered = u32::from(flags & tcp_flag::FIN != 0) + u32::from(flags & tcp_flag::SYN != 0);
    record.segment_bytes = end.wrapping_sub(seq).wrapping_sub(numbered);
    record.reset_seq = if flags & tcp_flag::ACK != 0 { ack } else { end };
    record.present |= present::SEGMENT | present::RESET_SEQ;
}

/// Fills in the ends of the connection that the segment names, from this host's side: its destination is the local
/// end. False when it cannot be read: packet bytes have no BTF type, so `bpf_probe_read_kernel` must be allowed.
#[inline(always)]
pub(crate) fn endpoints<R: Reader>(record: &mut Record, skb: *const c_void) -> bool {
    if setting!(probe_read) == 0
        || offset!(sk_buff_head) == ABSENT
        || offset!(sk_buff_network_header) == ABSENT
        || offset!(sk_buff_transport_header) == ABSENT
    {
        return false;
    }
    // SAFETY: the tracepoint gave the segment.
    let (head, network, transport) = unsafe {
        (
            R::load::<u64>(skb, offset!(sk_buff_head)),
            R::load::<u16>(skb, offset!(sk_buff_network_header)),
            R::load::<u16>(skb, offset!(sk_buff_transport_header)),
        )
    };
    let ip = (head + u64::from(network)) as *const c_void;
    let tcp = (head + u64::from(transport)) as *const c_void;
    let ends = &mut record.endpoints;
    // SAFETY: header bytes of a segment that TCP has accepted as complete; offsets by RFC 9293 §3.1, RFC 791 §3.1
    // and RFC 8200 §3.
    unsafe {
        ends.peer_port = u16::from_be(Probe::load(tcp, 0));
        ends.local_port = u16::from_be(Probe::load(tcp, 2));
        let version = Probe::load::<u8>(ip, 0) >> 4;
        if version == 4 {
            ends.peer = mapped(Probe::load(ip, 12));
            ends.local = mapped(Probe::load(ip, 16));
            return true;
        }
        if version == 6 {
            ends.peer = [Probe::load(ip, 8), Probe::load(ip, 12), Probe::load(ip, 16), Probe::load(ip, 20)];
            ends.local = [Probe::load(ip, 24), Probe::load(ip, 28), Probe::load(ip, 32), Probe::load(ip, 36)];
            return true;
        }
    }
    false
}

/// Namespace of the device on which the segment came in; 0 when unknown.
#[inline(always)]
pub(crate) fn netns<R: Reader>(skb: *const c_void) -> u32 {
    if offset!(sk_buff_dev) == ABSENT || offset!(net_device_net) == ABSENT {
        return 0;
    }
    // SAFETY: pointers that the kernel keeps in the segment and its device.
    unsafe {
        let dev = R::load::<Pointer>(skb, offset!(sk_buff_dev)).0;
        if dev.is_null() {
            return 0;
        }
        let net = R::load::<Pointer>(dev, offset!(net_device_net)).0;
        if net.is_null() {
            return 0;
        }
        R::load(net, offset!(net_inum))
    }
}
