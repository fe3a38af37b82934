//! A TCP socket as the programs see it: `struct sock` read field by field.

use core::{ffi::c_void, marker::PhantomData};

use observer_ebpf::{ABSENT, Endpoints, candidate};

use crate::{
    frozen::{offset, setting},
    read::Reader,
};

/// TCP states, `include/net/tcp_states.h`.
pub(crate) mod tcp_state {
    pub(crate) const ESTABLISHED: u8 = 1;
    pub(crate) const SYN_SENT: u8 = 2;
    pub(crate) const SYN_RECV: u8 = 3;
    pub(crate) const FIN_WAIT1: u8 = 4;
    pub(crate) const FIN_WAIT2: u8 = 5;
    pub(crate) const TIME_WAIT: u8 = 6;
    pub(crate) const CLOSE: u8 = 7;
    pub(crate) const CLOSE_WAIT: u8 = 8;
    pub(crate) const LAST_ACK: u8 = 9;
    pub(crate) const LISTEN: u8 = 10;
    pub(crate) const CLOSING: u8 = 11;
    pub(crate) const NEW_SYN_RECV: u8 = 12;
}

/// `SHUTDOWN_MASK`: both directions, as `__tcp_close()` sets first of all.
const SHUTDOWN_MASK: u8 = 3;

const AF_INET6: u16 = 10;

/// The part that sockets and the minisockets of time-wait and requests share: `struct sock_common`.
pub(crate) struct Common<R> {
    sk: *const c_void,
    reader: PhantomData<R>,
}

impl<R: Reader> Common<R> {
    #[inline(always)]
    pub(crate) fn new(sk: *const c_void) -> Self {
        Self { sk, reader: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn load<T: Copy + Default>(&self, offset: u32) -> T {
        // SAFETY: the hook gave the pointer, BTF the offset.
        unsafe { R::load(self.sk, offset) }
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> u8 {
        self.load(offset!(skc_state))
    }

    #[inline(always)]
    fn family(&self) -> u16 {
        self.load(offset!(skc_family))
    }

    #[inline(always)]
    pub(crate) fn netns(&self) -> u32 {
        let net: *const c_void = self.load::<Pointer>(offset!(skc_net)).0;
        if net.is_null() {
            return 0;
        }
        // SAFETY: a pointer that the kernel keeps in the socket.
        unsafe { R::load(net, offset!(net_inum)) }
    }

    /// Both ends, with `local_port` in host byte order.
    #[inline(always)]
    pub(crate) fn endpoints(&self, local_port: u16) -> Endpoints {
        let mut ends = Endpoints {
            local: [0; 4],
            peer: [0; 4],
            local_port,
            peer_port: u16::from_be(self.load(offset!(skc_dport))),
            netns: self.netns(),
        };
        if self.family() == AF_INET6 && offset!(skc_v6_daddr) != ABSENT && offset!(skc_v6_rcv_saddr) != ABSENT {
            ends.local = self.address6(offset!(skc_v6_rcv_saddr));
            ends.peer = self.address6(offset!(skc_v6_daddr));
        } else {
            ends.local = mapped(self.load(offset!(skc_rcv_saddr)));
            ends.peer = mapped(self.load(offset!(skc_daddr)));
        }
        ends
    }

    #[inline(always)]
    fn address6(&self, offset: u32) -> [u32; 4] {
        [self.load(offset), self.load(offset + 4), self.load(offset + 8), self.load(offset + 12)]
    }

    /// A process holds the lock of the socket: the current task works on it, in a system call or at exit, and
    /// is not a bystander whom a softirq interrupted. Not for minisockets.
    #[inline(always)]
    pub(crate) fn owned(&self) -> bool {
        self.load::<u32>(offset!(sk_owned)) != 0
    }

    /// An error waits to be told, as after a received RST. Not for minisockets.
    #[inline(always)]
    pub(crate) fn failed(&self) -> bool {
        let offset = offset!(sk_err);
        offset != ABSENT && self.load::<u32>(offset) != 0
    }

    /// The port of a minisocket: it has no `inet_sport`.
    #[inline(always)]
    pub(crate) fn num(&self) -> u16 {
        self.load(offset!(skc_num))
    }
}

/// `::ffff:a.b.c.d`, both in network byte order.
#[inline(always)]
pub(crate) fn mapped(address: u32) -> [u32; 4] {
    [0, 0, 0xffff_u32.to_be(), address]
}

/// A full TCP socket.
pub(crate) struct Sock<R> {
    /// By the pointer to its `struct tcp_sock`, which begins with all the others.
    pub(crate) common: Common<R>,
}

impl<R: Reader> Sock<R> {
    /// None for anything but a full TCP socket.
    #[inline(always)]
    pub(crate) fn new(sk: *const c_void) -> Option<Self> {
        // SAFETY: the hook gave the pointer.
        let tcp = unsafe { R::tcp_sock(sk) };
        if tcp.is_null() {
            return None;
        }
        // The same address, of another type: newer verifiers search all types of the kernel by name, several
        // times, for each pointer that is loaded from one that a tracepoint gave, and not for this one. It was a quarter of the
        // start.
        Some(Self { common: Common::new(tcp) })
    }

    /// A field of `tcp_sock` that some kernel may lack.
    #[inline(always)]
    pub(crate) fn tcp_field<T: Copy + Default>(&self, offset: u32) -> Option<T> {
        if offset == ABSENT {
            return None;
        }
        Some(self.common.load(offset))
    }

    /// Payload bytes received in order: the FIN counts as a byte.
    #[inline(always)]
    pub(crate) fn received_bytes(&self) -> Option<u64> {
        let received: u64 = self.tcp_field(offset!(bytes_received))?;
        Some(received.saturating_sub(u64::from(self.fin_received())))
    }

    /// Payload bytes sent once.
    #[inline(always)]
    pub(crate) fn sent_bytes(&self) -> Option<u64> {
        let sent: u64 = self.tcp_field(offset!(bytes_sent))?;
        Some(sent.saturating_sub(self.tcp_field(offset!(bytes_retrans))?))
    }

    /// Smoothed round-trip time, kept in eighths of a microsecond.
    #[inline(always)]
    pub(crate) fn srtt_us(&self) -> Option<u32> {
        Some(self.tcp_field::<u32>(offset!(srtt_us))? >> 3)
    }

    /// Key of what is remembered of this socket.
    #[inline(always)]
    pub(crate) fn key(&self) -> u64 {
        R::key(self.common.sk)
    }

    #[inline(always)]
    pub(crate) fn endpoints(&self) -> Endpoints {
        // `skc_num` is 0 once the port was given back, which a close does before its RST.
        self.common.endpoints(u16::from_be(self.common.load(offset!(inet_sport))))
    }

    #[inline(always)]
    fn flag(&self, bit: u32) -> bool {
        let flags: u64 = self.common.load(offset!(skc_flags));
        flags & (1 << (bit & 63)) != 0
    }

    /// SOCK_DEAD: orphaned, no process holds it.
    #[inline(always)]
    pub(crate) fn orphaned(&self) -> bool {
        self.flag(setting!(sock_dead))
    }

    /// SOCK_DONE: `tcp_fin()` ran. The application's own shutdown does not set it.
    #[inline(always)]
    pub(crate) fn fin_received(&self) -> bool {
        self.flag(setting!(sock_done))
    }

    /// Bytes received in order that the application has not read, as `tcp_inq()`: the FIN takes a sequence
    /// number, but is no byte. Stays right after `__tcp_close()` purged the queue, which leaves `copied_seq`.
    #[inline(always)]
    pub(crate) fn unread(&self) -> u32 {
        let rcv_nxt: u32 = self.common.load(offset!(rcv_nxt));
        let unread = rcv_nxt.wrapping_sub(self.common.load(offset!(copied_seq)));
        // Beyond 2^31 `copied_seq` is ahead of `rcv_nxt`: nothing is unread.
        if unread == 0 || unread > i32::MAX as u32 {
            return 0;
        }
        if self.fin_received() { unread - 1 } else { unread }
    }

    /// [`Common::owned`].
    #[inline(always)]
    pub(crate) fn owned(&self) -> bool {
        self.common.owned()
    }

    /// Both directions are shut down, as in a close.
    #[inline(always)]
    pub(crate) fn shut_down(&self) -> bool {
        self.common.load::<u8>(offset!(sk_shutdown)) & SHUTDOWN_MASK == SHUTDOWN_MASK
    }

    /// `RCV_SHUTDOWN`: the receiving direction is shut down.
    #[inline(always)]
    pub(crate) fn refuses_data(&self) -> bool {
        self.common.load::<u8>(offset!(sk_shutdown)) & 1 != 0
    }

    /// Segments wait until the process gives up the lock: they are counted, but not looked at yet.
    #[inline(always)]
    pub(crate) fn has_backlog(&self) -> bool {
        let offset = offset!(sk_backlog_tail);
        offset != ABSENT && self.common.load::<u64>(offset) != 0
    }

    /// SO_KEEPALIVE.
    #[inline(always)]
    pub(crate) fn keeps_alive(&self) -> bool {
        self.flag(setting!(sock_keepopen))
    }

    /// `rcv_nxt`: the sequence number that a RST must have to be taken.
    #[inline(always)]
    pub(crate) fn next_expected(&self) -> u32 {
        self.common.load(offset!(rcv_nxt))
    }

    /// The socket belongs to a `struct socket`, hence to a file; true when that is not known.
    #[inline(always)]
    pub(crate) fn has_file(&self) -> bool {
        let offset = offset!(sk_socket);
        offset == ABSENT || self.common.load::<u64>(offset) != 0
    }

    /// SO_LINGER with a time of zero.
    #[inline(always)]
    pub(crate) fn lingers_zero(&self) -> bool {
        self.flag(setting!(sock_linger)) && self.common.load::<u64>(offset!(sk_lingertime)) == 0
    }

    /// TCP_LINGER2 below zero: no FIN_WAIT2.
    #[inline(always)]
    pub(crate) fn skips_fin_wait2(&self) -> bool {
        self.tcp_field::<i32>(offset!(linger2)).is_some_and(|linger2| linger2 < 0)
    }

    /// A subflow of a Multipath TCP connection.
    #[inline(always)]
    pub(crate) fn is_subflow(&self) -> bool {
        self.tcp_field::<u8>(offset!(is_mptcp)).is_some_and(|is| is != 0)
    }

    /// TCP_REPAIR: checkpoint and restore take sockets down without a packet.
    #[inline(always)]
    pub(crate) fn in_repair(&self) -> bool {
        let offset = setting!(repair_offset);
        offset != ABSENT && u32::from(self.common.load::<u8>(offset)) & setting!(repair_mask) != 0
    }

    /// The receive queue holds payload; asked for when nothing of it is unread.
    #[inline(always)]
    fn queue_holds_payload(&self) -> bool {
        let offset = offset!(sk_receive_next);
        if offset == ABSENT || offset!(sk_buff_cb) == ABSENT || offset!(cb_tcp_flags) == ABSENT {
            return false;
        }
        let skb: *const c_void = self.common.load::<Pointer>(offset).0;
        // An empty queue points at its own head.
        if skb.is_null() || skb as u64 == self.common.sk as u64 + u64::from(offset) {
            return false;
        }
        let cb = offset!(sk_buff_cb);
        // SAFETY: the first segment of the queue, which the lock of the socket keeps in place.
        let (seq, end_seq, flags) = unsafe {
            (
                R::load::<u32>(skb, cb + offset!(cb_seq)),
                R::load::<u32>(skb, cb + offset!(cb_end_seq)),
                R::load::<u8>(skb, cb + offset!(cb_tcp_flags)),
            )
        };
        end_seq.wrapping_sub(seq) > u32::from(flags & 1) // TCPHDR_FIN
    }

    /// Distance from one of the socket's sequence numbers to `write_seq`; 0 when it is beyond.
    #[inline(always)]
    pub(crate) fn written_since(&self, offset: u32) -> Option<u32> {
        let written = self.tcp_field::<u32>(offset!(write_seq))?.wrapping_sub(self.tcp_field(offset)?);
        Some(if written > i32::MAX as u32 { 0 } else { written })
    }

    /// Reasons for which `__tcp_close()` may send a RST, decided as it decides.
    #[inline(always)]
    pub(crate) fn candidates(&self, state: u8) -> u8 {
        let mut found = 0;
        if self.unread() > 0 {
            found |= candidate::UNREAD;
        } else if self.queue_holds_payload() {
            found |= candidate::PHANTOM;
        }
        if self.lingers_zero() {
            found |= candidate::LINGER_ZERO;
        }
        if state == tcp_state::FIN_WAIT2 && self.skips_fin_wait2() {
            found |= candidate::LINGER2;
        }
        found
    }
}

/// A kernel pointer as a loaded value.
#[derive(Clone, Copy)]
pub(crate) struct Pointer(pub(crate) *const c_void);

impl Default for Pointer {
    fn default() -> Self {
        Self(core::ptr::null())
    }
}
