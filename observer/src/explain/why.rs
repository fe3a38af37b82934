//! Why the kernel ended a connection so: the rule of each cause, the function that applies it, and where both are
//! written down. One reviewed table; docs/causes.md tells the same in brief.

use crate::cause::Cause;

/// What there is to say of a cause.
pub(crate) struct Why {
    /// The cause.
    pub(crate) cause: Cause,
    /// What was done, of many connections: `{who}` is a process, `{connections}` are its connections to a peer.
    pub(crate) many: &'static str,
    /// Kernel functions that decide.
    pub(crate) functions: &'static str,
    /// The rule, and what the kernel does by it.
    pub(crate) rule: &'static str,
    /// The counter of the kernel beside OutRsts.
    pub(crate) counter: Option<&'static str>,
    /// Where the rule is written down.
    pub(crate) reference: &'static str,
    /// What to do where nothing more particular is known.
    pub(crate) advice: &'static str,
}

/// What there is to say of this cause.
pub(crate) fn of(cause: Cause) -> &'static Why {
    // The test below holds that there is one for each.
    TABLE.iter().find(|why| why.cause == cause).unwrap_or(&UNKNOWN)
}

const UNKNOWN: Why = Why {
    cause: Cause::Unclassified,
    many: "the kernel reset {connections} of {who}, and neither the socket nor the kernel's reason says why",
    functions: "tcp_send_active_reset(), tcp_v4_send_reset() or tcp_v6_send_reset()",
    rule: "The kernel sent RST. The state of the socket fits none of the rules that are known, and this kernel names no \
           reason, or one without a meaning of its own (NOT_SPECIFIED).",
    counter: None,
    reference: "RFC 9293 §3.5.2 (Reset Generation); Linux, include/net/rstreason.h",
    advice: "Look at the kernel stack, if there is one. Kernels from 6.12 on name the reason of every RST.",
};

static TABLE: &[Why] = &[
    Why {
        cause: Cause::CloseUnread,
        many: "{who} closed {connections} with unread bytes",
        functions: "__tcp_close()",
        rule: "Bytes had come in that nobody had read when the socket was closed. They are thrown away, and an orderly \
               end would tell the peer that they had arrived. So the kernel sends RST in place of FIN, and drops what was \
               not acknowledged yet, too.",
        counter: Some("TCPAbortOnClose"),
        reference: "RFC 1122 §4.2.2.13; RFC 2525 §2.17; RFC 9293 §3.6.1",
        advice: "Read to the end of what the peer sends before closing, or tell it to stop.",
    },
    Why {
        cause: Cause::ClosePhantom,
        many: "the kernel took bytes for unread that {who} had read, on {connections}",
        functions: "__tcp_close()",
        rule: "All had been read. But the receive queue still held a segment whose bytes had come before, as a FIN that \
               is sent again brings them along. This kernel asks only whether the queue holds payload, takes it for \
               unread and sends RST; kernels with upstream commit 5f9238530970 ask what of it is new.",
        counter: Some("TCPAbortOnClose"),
        reference: "Linux, net/ipv4/tcp.c, commit 5f9238530970",
        advice: "Change nothing in the program; a kernel with that commit does not do it.",
    },
    Why {
        cause: Cause::LingerZero,
        many: "{who} reset {connections} by closing with SO_LINGER set to zero",
        functions: "__tcp_close(), tcp_disconnect()",
        rule: "SO_LINGER with a time of zero asks for an abort in place of an orderly end: what was not sent yet is \
               dropped, no FIN goes out, and the peer gets RST unless it had ended the connection already.",
        counter: Some("TCPAbortOnData"),
        reference: "RFC 9293 §3.10.5 (ABORT Call); socket(7), SO_LINGER",
        advice: "Remove SO_LINGER with a time of zero, unless the reset is meant.",
    },
    Why {
        cause: Cause::Disconnect,
        many: "{who} took down {connections} with connect() and AF_UNSPEC",
        functions: "tcp_disconnect()",
        rule: "connect() with AF_UNSPEC takes a socket out of its connection without an orderly end. Where the peer \
               could still send or wait, the kernel sends RST.",
        counter: None,
        reference: "connect(2), AF_UNSPEC; RFC 9293 §3.10.5 (ABORT Call)",
        advice: "Close the socket and make a new one.",
    },
    Why {
        cause: Cause::Linger2Timeout,
        many: "{connections} of {who} did not get the time to end in order (TCP_LINGER2)",
        functions: "__tcp_close(), tcp_rcv_state_process() or tcp_keepalive_timer()",
        rule: "The process had closed, our FIN was acknowledged, and the peer's FIN was due (FIN_WAIT2). TCP_LINGER2 says \
               how long a socket without a process waits for it: below zero not at all, and later no longer. Then the \
               kernel sends RST.",
        counter: Some("TCPAbortOnLinger"),
        reference: "tcp(7), TCP_LINGER2 and tcp_fin_timeout",
        advice: "Let TCP_LINGER2 be longer than the peer takes to close, and never negative.",
    },
    Why {
        cause: Cause::ListenerClose,
        many: "{who} closed a listener with {connections} that it had not accepted",
        functions: "inet_csk_listen_stop(), tcp_disconnect()",
        rule: "The kernel completes handshakes before a process accepts the connection. When the listener is closed, \
               those that wait in its queue belong to nobody, and each gets RST: to the client it was an open connection.",
        counter: None,
        reference: "listen(2); Linux, Documentation/networking/ip-sysctl, tcp_migrate_req",
        advice: "Before a listener is closed, accept what waits in it, or hand it to the next process.",
    },
    Why {
        cause: Cause::AdminKill,
        many: "{who} killed {connections} from outside",
        functions: "tcp_abort()",
        rule: "A process that may administer the network asked the kernel to destroy the socket (SOCK_DESTROY, as ss -K \
               does). The one that held it was not asked; its next call fails with ECONNABORTED.",
        counter: None,
        reference: "ss(8), --kill; RFC 9293 §3.10.5 (ABORT Call)",
        advice: "Ask who runs the process that killed it; the program that held the connection is not to blame.",
    },
    Why {
        cause: Cause::OutOfMemory,
        many: "for want of memory the kernel gave up {connections} of {who}",
        functions: "__tcp_close(), tcp_out_of_resources()",
        rule: "A socket that was closed lives on without a process until all is sent and acknowledged. There were more of \
               these than tcp_max_orphans allows, or TCP had used what tcp_mem allows: the kernel sends RST and frees it.",
        counter: Some("TCPAbortOnMemory"),
        reference: "tcp(7), tcp_mem and tcp_max_orphans",
        advice: "Raise net.ipv4.tcp_mem or tcp_max_orphans, or find out who leaves so much unsent behind.",
    },
    Why {
        cause: Cause::DataAfterClose,
        many: "data came for {connections} that {who} had closed",
        functions: "tcp_rcv_state_process()",
        rule: "The socket had been closed, or shut down for reading, and was still ending when data came for it. Nobody \
               can read that any more, so the kernel sends RST to let the peer know that it was lost.",
        counter: Some("TCPAbortOnData"),
        reference: "RFC 1122 §4.2.2.13; RFC 9293 §3.6.1",
        advice: "Shut down writing, read until the peer closes or a time is over, and close then.",
    },
    Why {
        cause: Cause::DataAfterTimewait,
        many: "data came late for {connections} that {who} had closed",
        functions: "tcp_v4_rcv() or tcp_v6_rcv(), tcp_timewait_state_process()",
        rule: "The process had closed, and of the connection only a time-wait minisocket was left, which keeps the ports \
               and the sequence numbers. It can take no data: the kernel sends RST to let the peer know.",
        counter: None,
        reference: "RFC 1122 §4.2.2.13; RFC 9293 §3.6.1",
        advice: "Shut down writing, read until the peer closes or a time is over, and close then.",
    },
    Why {
        cause: Cause::KeepaliveTimeout,
        many: "no keep-alive probe was answered on {connections} of {who}",
        functions: "tcp_keepalive_timer()",
        rule: "The connection was idle, the kernel sent its keep-alive probes (TCP_KEEPCNT of them), and none was \
               answered. It takes the peer for gone, fails the process's next call with ETIMEDOUT and sends RST in case \
               the peer lives after all.",
        counter: Some("TCPAbortOnTimeout"),
        reference: "RFC 1122 §4.2.3.6; RFC 9293 §3.8.4 (TCP Keep-Alives)",
        advice: "Find out where the peer has gone, or who on the way forgets idle connections.",
    },
    Why {
        cause: Cause::NoSocket,
        many: "segments came for {connections} of {who} that were over, or that nobody had",
        functions: "tcp_v4_rcv() or tcp_v6_rcv(), tcp_v4_send_reset() or tcp_v6_send_reset()",
        rule: "A segment came, and there was no socket for it: the connection was closed long ago, or the port is not \
               open. To such a segment a TCP answers with RST.",
        counter: None,
        reference: "RFC 9293 §3.5.2 (Reset Generation) and §3.10.7.1 (CLOSED State)",
        advice: "Where the connection had been closed here, let the peer end it first, or read to its end. Where nothing \
                 listens, look at who connects.",
    },
    Why {
        cause: Cause::BadSegment,
        many: "segments that fit no state came for {connections} of {who}",
        functions: "tcp_validate_incoming(), tcp_rcv_state_process() or tcp_check_req()",
        rule: "A segment came whose acknowledgement, SYN or flags the state of the connection does not allow: the two ends \
               do not speak of the same connection. The kernel answers with RST; its reason says what was wrong.",
        counter: None,
        reference: "RFC 9293 §3.5.2 (Reset Generation) and §3.10.7 (SEGMENT ARRIVES); RFC 5961",
        advice: "Compare captures of both ends: a host that was started anew, a load balancer or NAT that has mixed up \
                 connections, or a port that is used again too soon sends such segments.",
    },
    Why {
        cause: Cause::Mptcp,
        many: "Multipath TCP reset {connections} of {who}",
        functions: "mptcp_subflow_reset(), mptcp_do_fastclose() and others of net/mptcp",
        rule: "The connection is, or was to be, one path of a Multipath TCP connection. There RST also ends a single path, \
               refuses to add one, or ends all of them at once (fast close).",
        counter: Some("of MPTcpExt in /proc/net/netstat"),
        reference: "RFC 8684 §3.5 (Fast Close) and §3.6 (Subflow Reset)",
        advice: "See what the paths do with `ip mptcp monitor` and `nstat -az 'MPTcp*'`.",
    },
    UNKNOWN,
    Why {
        cause: Cause::Clean,
        many: "{who} closed {connections} in order",
        functions: "__tcp_close(), tcp_send_fin()",
        rule: "All had been read, nothing asked for an abort: the kernel sends FIN, and the peer sees the end of the \
               stream. There is no RST.",
        counter: None,
        reference: "RFC 9293 §3.6 (Closing a Connection) and §3.10.4 (CLOSE Call)",
        advice: "Nothing has to be done.",
    },
    Why {
        cause: Cause::ResetByPeer,
        many: "{connections} of {who} {were} reset by the other end",
        functions: "tcp_reset()",
        rule: "A RST came in whose sequence number fits the connection. The kernel drops what was not sent or read, and \
               fails the process's calls with ECONNRESET (EPIPE when it writes). This host sent no RST itself.",
        counter: None,
        reference: "RFC 9293 §3.5.3 (Reset Processing); RFC 5961 §3",
        advice: "Look at the other end: an observer there names the process and the line under the same tcp.reset_id.",
    },
    Why {
        cause: Cause::ConnectionRefused,
        many: "{connections} of {who} {were} refused",
        functions: "tcp_rcv_synsent_state_process(), tcp_reset()",
        rule: "The SYN was answered with RST: nothing listens at that address and port, or a firewall on the way rejects. \
               connect() fails with ECONNREFUSED.",
        counter: None,
        reference: "RFC 9293 §3.10.7.3 (SYN-SENT State); connect(2), ECONNREFUSED",
        advice: "Check that the service runs and listens on this address and port, and that no firewall rejects it.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_rule_exactly_once() {
        assert_eq!(TABLE.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            let found: Vec<&Why> = TABLE.iter().filter(|why| why.cause == *cause).collect();
            assert_eq!(found.len(), 1, "{cause}");
            assert_eq!(of(*cause).cause, *cause);
        }
    }

    #[test]
    fn rules_are_whole_sentences_with_functions_and_a_reference() {
        for why in TABLE {
            for text in [why.rule, why.advice] {
                assert!(text.ends_with('.') && !text.contains("  "), "{}: {text}", why.cause);
            }
            assert!(why.functions.contains("()"), "{}", why.cause);
            assert!(why.many.contains("{who}") && why.many.contains("{connections}"), "{}", why.cause);
            assert!(!why.reference.is_empty(), "{}", why.cause);
        }
    }

    #[test]
    fn the_counters_are_those_of_the_documentation() {
        let documented = include_str!("../../../docs/causes.md");
        for why in TABLE {
            let row = documented.lines().find(|line| line.starts_with(&format!("| `{}` ", why.cause)));
            let row = row.unwrap_or_else(|| panic!("{} is not in docs/causes.md", why.cause));
            if let Some(counter) = why.counter.filter(|counter| counter.starts_with("TCP")) {
                assert!(row.contains(counter), "{}: {row}", why.cause);
            } else {
                assert!(!row.contains("TCPAbort") || why.cause == Cause::Mptcp, "{}: {row}", why.cause);
            }
        }
    }
}
