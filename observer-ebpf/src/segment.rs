//! The segment that a RST answers: the only source of addresses when no full socket was found.

use core::ffi::c_void;

use observer_ebpf::{ABSENT, Record};

use crate::{
    frozen::{offset, setting},
    read::{Direct, Probe, Reader},
    sock::{Pointer, mapped},
};

/// Fills in the ends of the connection that the segment names, from this host's side: its destination is the local
/// end. False when it cannot be read: packet bytes have no BTF type, so `bpf_probe_read_kernel` must be allowed.
#[inline(always)]
pub(crate) fn endpoints(record: &mut Record, skb: *const c_void) -> bool {
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
            Direct::load::<u64>(skb, offset!(sk_buff_head)),
            Direct::load::<u16>(skb, offset!(sk_buff_network_header)),
            Direct::load::<u16>(skb, offset!(sk_buff_transport_header)),
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
pub(crate) fn netns(skb: *const c_void) -> u32 {
    if offset!(sk_buff_dev) == ABSENT || offset!(net_device_net) == ABSENT {
        return 0;
    }
    // SAFETY: pointers that the kernel keeps in the segment and its device.
    unsafe {
        let dev = Direct::load::<Pointer>(skb, offset!(sk_buff_dev)).0;
        if dev.is_null() {
            return 0;
        }
        let net = Direct::load::<Pointer>(dev, offset!(net_device_net)).0;
        if net.is_null() {
            return 0;
        }
        Direct::load(net, offset!(net_inum))
    }
}
