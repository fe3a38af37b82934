//! The kernel fields the programs read: one list for the layout handed to the kernel, the lookup in BTF
//! and the report of what is missing.

/// An offset that is not known: the programs skip every read that needs it.
pub const ABSENT: u32 = u32::MAX;

/// One kernel field to find in BTF.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in [`Layout`].
    pub name: &'static str,
    /// The structure in which the search starts.
    pub container: &'static str,
    /// Members from there on, separated by dots; anonymous members are walked through.
    pub path: &'static str,
    /// Bytes that the programs load; on a little-endian machine the field may be wider.
    pub width: u32,
    /// Without it nothing can be observed.
    pub required: bool,
    /// What is lost without it, for people.
    pub needed_for: &'static str,
}

macro_rules! fields {
    ($($name:ident: $container:literal $path:literal $width:literal $need:ident $why:literal;)*) => {
        /// Byte offsets of kernel fields from the start of their container; [`ABSENT`] when unknown.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, zerocopy::IntoBytes, zerocopy::Immutable)]
        pub struct Layout {
            $(#[doc = concat!("`", $container, ".", $path, "`, ", stringify!($width), " bytes")] pub $name: u32,)*
        }

        impl Layout {
            /// A layout in which nothing is known.
            pub const UNKNOWN: Self = Self { $($name: ABSENT,)* };

            /// Sets the offset of a field by its name; false when there is no such field.
            pub fn set(&mut self, name: &str, offset: u32) -> bool {
                match name {
                    $(stringify!($name) => { self.$name = offset; true })*
                    _ => false,
                }
            }
        }

        /// Every field of [`Layout`], in its order.
        pub const FIELDS: &[Field] = &[$(Field {
            name: stringify!($name), container: $container, path: $path, width: $width,
            required: fields!(@ $need), needed_for: $why,
        }),*];
    };
    (@ required) => { true };
    (@ optional) => { false };
}

fields! {
    skc_family: "sock_common" "skc_family" 2 required "every event";
    skc_state: "sock_common" "skc_state" 1 required "every event";
    skc_num: "sock_common" "skc_num" 2 required "ports of time-wait sockets";
    skc_dport: "sock_common" "skc_dport" 2 required "every event";
    skc_daddr: "sock_common" "skc_daddr" 4 required "every event";
    skc_rcv_saddr: "sock_common" "skc_rcv_saddr" 4 required "every event";
    skc_v6_daddr: "sock_common" "skc_v6_daddr" 16 optional "IPv6 addresses";
    skc_v6_rcv_saddr: "sock_common" "skc_v6_rcv_saddr" 16 optional "IPv6 addresses";
    skc_net: "sock_common" "skc_net.net" 8 required "namespaces";
    net_inum: "net" "ns.inum" 4 required "namespaces";
    skc_flags: "sock_common" "skc_flags" 8 required "received FINs, SO_LINGER, orphaned sockets";
    sk_shutdown: "sock" "sk_shutdown" 1 required "telling a close from a disconnect";
    sk_owned: "sock" "sk_lock.owned" 4 required "telling a process from a softirq";
    sk_lingertime: "sock" "sk_lingertime" 8 required "cause linger_zero";
    sk_ack_backlog: "sock" "sk_ack_backlog" 4 optional "listener.unaccepted";
    sk_backlog_tail: "sock" "sk_backlog.tail" 8 optional "telling a received RST from a local one after a busy close";
    sk_err: "sock" "sk_err" 4 optional "telling a close from a received RST in the tracepoint plan";
    sk_socket: "sock" "sk_socket" 8 optional "causes listener_close and admin_kill";
    sk_receive_next: "sock" "sk_receive_queue.next" 8 optional "cause close_phantom in the fentry and kprobe plans";
    inet_sport: "inet_sock" "inet_sport" 2 required "every event";
    rcv_nxt: "tcp_sock" "rcv_nxt" 4 required "unread bytes";
    copied_seq: "tcp_sock" "copied_seq" 4 required "unread bytes";
    bytes_received: "tcp_sock" "bytes_received" 8 optional "tcp.received_bytes";
    bytes_sent: "tcp_sock" "bytes_sent" 8 optional "tcp.sent_bytes";
    bytes_retrans: "tcp_sock" "bytes_retrans" 8 optional "tcp.sent_bytes";
    data_segs_in: "tcp_sock" "data_segs_in" 4 optional "RSTs received by connections that were closed here";
    data_segs_out: "tcp_sock" "data_segs_out" 4 optional "churn.reuse";
    snd_una: "tcp_sock" "snd_una" 4 optional "tcp.unacked_bytes";
    snd_nxt: "tcp_sock" "snd_nxt" 4 optional "tcp.unsent_bytes, tcp.reset_id";
    write_seq: "tcp_sock" "write_seq" 4 optional "tcp.unacked_bytes, tcp.unsent_bytes";
    srtt_us: "tcp_sock" "srtt_us" 4 optional "tcp.srtt_us";
    is_mptcp: "tcp_sock" "is_mptcp" 1 optional "cause mptcp";
    linger2: "tcp_sock" "linger2" 4 optional "cause linger2_timeout";
    sk_buff_head: "sk_buff" "head" 8 optional "addresses of RSTs without a socket";
    sk_buff_dev: "sk_buff" "dev" 8 optional "namespace of RSTs without a socket";
    sk_buff_network_header: "sk_buff" "network_header" 2 optional "addresses of RSTs without a socket";
    sk_buff_transport_header: "sk_buff" "transport_header" 2 optional "addresses of RSTs without a socket";
    net_device_net: "net_device" "nd_net.net" 8 optional "namespace of RSTs without a socket";
    sk_buff_cb: "sk_buff" "cb" 48 optional "cause close_phantom in the fentry and kprobe plans, tcp.segment_bytes, tcp.reset_id";
    cb_seq: "tcp_skb_cb" "seq" 4 optional "cause close_phantom in the fentry and kprobe plans, tcp.segment_bytes";
    cb_end_seq: "tcp_skb_cb" "end_seq" 4 optional "cause close_phantom in the fentry and kprobe plans, tcp.segment_bytes";
    cb_ack_seq: "tcp_skb_cb" "ack_seq" 4 optional "tcp.reset_id";
    cb_tcp_flags: "tcp_skb_cb" "tcp_flags" 1 optional "cause close_phantom in the fentry and kprobe plans, tcp.segment_bytes, tcp.reset_id";
    task_flags: "task_struct" "flags" 4 optional "process.exiting";
    task_comm: "task_struct" "comm" 16 optional "process.comm";
    task_leader: "task_struct" "group_leader" 8 optional "process.comm";
    task_pid: "task_struct" "pid" 4 optional "processes that are gone, --children";
    task_tgid: "task_struct" "tgid" 4 optional "processes that are gone, --children";
    task_start: "task_struct" "start_boottime" 8 optional "telling processes of one id apart";
    task_nsproxy: "task_struct" "nsproxy" 8 optional "--dns: names by namespace";
    nsproxy_net: "nsproxy" "net_ns" 8 optional "--dns: names by namespace";
    task_signal: "task_struct" "signal" 8 optional "process.interactive";
    task_mm: "task_struct" "mm" 8 optional "arguments and code of short-lived processes";
    signal_tty: "signal_struct" "tty" 8 optional "process.interactive";
    mm_start_code: "mm_struct" "start_code" 8 optional "symbols of short-lived processes";
    mm_end_code: "mm_struct" "end_code" 8 optional "symbols of short-lived processes";
    mm_arg_start: "mm_struct" "arg_start" 8 optional "arguments of short-lived processes";
    mm_arg_end: "mm_struct" "arg_end" 8 optional "arguments of short-lived processes";
    regs_sp: "pt_regs" "sp" 8 optional "callers of functions without a frame in stack.user";
    bprm_interp: "linux_binprm" "interp" 8 optional "executable of short-lived processes";
    bprm_file: "linux_binprm" "file" 8 optional "executable of short-lived processes";
    file_inode: "file" "f_inode" 8 optional "executable of short-lived processes";
    inode_number: "inode" "i_ino" 8 optional "executable of short-lived processes";
    inode_sb: "inode" "i_sb" 8 optional "executable of short-lived processes";
    sb_device: "super_block" "s_dev" 4 optional "executable of short-lived processes";
}

const _: () = assert!(size_of::<Layout>() == 4 * FIELDS.len());
