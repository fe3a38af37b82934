//! Kernel programs of conn-observer: entry points only, two lines each. The stories they tell are in
//! `close` (a socket is closed), `state` (a socket changes state), `birth` (a connection begins), `reset` (a RST goes
//! out), `answer` (one without a socket, on older kernels), `received` (one comes in), `family` (a process forks or
//! ends), `process` (its life is told), `dns` (a name is asked for) and `churn` (connections come and go, again and
//! again).
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(not(target_arch = "bpf"))]
fn main() {
    eprintln!("conn-observer-ebpf is a kernel object: `cargo xtask ebpf` builds it");
}

#[cfg(target_arch = "bpf")]
mod answer;
#[cfg(target_arch = "bpf")]
mod birth;
#[cfg(target_arch = "bpf")]
mod churn;
#[cfg(target_arch = "bpf")]
mod close;
#[cfg(target_arch = "bpf")]
mod count;
#[cfg(target_arch = "bpf")]
mod dns;
#[cfg(target_arch = "bpf")]
mod family;
#[cfg(target_arch = "bpf")]
mod filter;
#[cfg(target_arch = "bpf")]
mod frozen;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod notes;
#[cfg(target_arch = "bpf")]
mod owners;
#[cfg(target_arch = "bpf")]
mod process;
#[cfg(target_arch = "bpf")]
mod read;
#[cfg(target_arch = "bpf")]
mod received;
#[cfg(target_arch = "bpf")]
mod report;
#[cfg(target_arch = "bpf")]
mod reset;
#[cfg(target_arch = "bpf")]
mod scratch;
#[cfg(target_arch = "bpf")]
mod segment;
#[cfg(target_arch = "bpf")]
mod sets;
#[cfg(target_arch = "bpf")]
mod sock;
#[cfg(target_arch = "bpf")]
mod state;
#[cfg(target_arch = "bpf")]
mod submit;
#[cfg(target_arch = "bpf")]
mod task;
#[cfg(target_arch = "bpf")]
mod tell;
#[cfg(target_arch = "bpf")]
mod verifier;

#[cfg(target_arch = "bpf")]
mod entry {
    use aya_ebpf::{
        macros::{btf_tracepoint, cgroup_skb, cgroup_sock_addr, fentry, fexit, kprobe, kretprobe},
        programs::{
            BtfTracePointContext, FEntryContext, FExitContext, ProbeContext, RetProbeContext, SkBuffContext,
            SockAddrContext,
        },
    };

    use crate::{
        answer, birth, close, dns, family, frozen, process,
        read::{Direct, Probe},
        received, reset, state,
    };

    #[fentry(function = "__tcp_close")]
    #[inline(always)]
    fn close_fentry(ctx: FEntryContext) -> u32 {
        close::on_close::<Direct, _>(&ctx, ctx.arg(0));
        0
    }

    #[kprobe]
    #[inline(always)]
    fn close_kprobe(ctx: ProbeContext) -> u32 {
        if let Some(sk) = ctx.arg(0) {
            close::on_close::<Probe, _>(&ctx, sk);
        }
        0
    }

    // The return value stands behind the parameters of `inet_csk_accept`.

    /// `inet_csk_accept(sk, flags, err, kern)`, before 6.10.
    #[fexit(function = "inet_csk_accept")]
    #[inline(always)]
    fn accept4_fexit(ctx: FExitContext) -> u32 {
        birth::on_accept::<Direct>(ctx.arg(4));
        0
    }

    /// `inet_csk_accept(sk, arg)`.
    #[fexit(function = "inet_csk_accept")]
    #[inline(always)]
    fn accept2_fexit(ctx: FExitContext) -> u32 {
        birth::on_accept::<Direct>(ctx.arg(2));
        0
    }

    #[kretprobe]
    #[inline(always)]
    fn accept_kretprobe(ctx: RetProbeContext) -> u32 {
        birth::on_accept::<Probe>(ctx.ret());
        0
    }

    /// `tcp_v4_send_reset(sk, skb)`, before 6.10.
    #[fentry(function = "tcp_v4_send_reset")]
    #[inline(always)]
    fn answer4_fentry(ctx: FEntryContext) -> u32 {
        answer::on_answer::<Direct, _>(&ctx, ctx.arg(0), ctx.arg(1));
        0
    }

    /// `tcp_v6_send_reset(sk, skb)`, before 6.10.
    #[fentry(function = "tcp_v6_send_reset")]
    #[inline(always)]
    fn answer6_fentry(ctx: FEntryContext) -> u32 {
        answer::on_answer::<Direct, _>(&ctx, ctx.arg(0), ctx.arg(1));
        0
    }

    #[kprobe]
    #[inline(always)]
    fn answer4_kprobe(ctx: ProbeContext) -> u32 {
        if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
            answer::on_answer::<Probe, _>(&ctx, sk, skb);
        }
        0
    }

    #[kprobe]
    #[inline(always)]
    fn answer6_kprobe(ctx: ProbeContext) -> u32 {
        if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
            answer::on_answer::<Probe, _>(&ctx, sk, skb);
        }
        0
    }

    #[btf_tracepoint(function = "tcp_rcv_space_adjust")]
    #[inline(always)]
    fn rcv_space_adjust(ctx: BtfTracePointContext) -> i32 {
        birth::on_read(ctx.arg(0));
        0
    }

    #[btf_tracepoint(function = "tcp_receive_reset")]
    #[inline(always)]
    fn receive_reset(ctx: BtfTracePointContext) -> i32 {
        received::on_receive_reset(&ctx, ctx.arg(0));
        0
    }

    #[btf_tracepoint(function = "inet_sock_set_state")]
    #[inline(always)]
    fn set_state(ctx: BtfTracePointContext) -> i32 {
        state::on_set_state(&ctx, ctx.arg(0), ctx.arg(1), ctx.arg(2));
        0
    }

    /// `tcp_send_reset(sk, skb, reason)`: kernels before 6.10 have no reason.
    #[btf_tracepoint(function = "tcp_send_reset")]
    #[inline(always)]
    fn send_reset(ctx: BtfTracePointContext) -> i32 {
        let reason = if frozen::has_reason() { Some(ctx.arg::<u32>(2)) } else { None };
        reset::on_send_reset(&ctx, ctx.arg(0), ctx.arg(1), reason);
        0
    }

    #[btf_tracepoint(function = "tcp_destroy_sock")]
    #[inline(always)]
    fn destroy_sock(ctx: BtfTracePointContext) -> i32 {
        close::on_destroy(&ctx, ctx.arg(0));
        0
    }

    #[btf_tracepoint(function = "sched_process_fork")]
    #[inline(always)]
    fn process_fork(ctx: BtfTracePointContext) -> i32 {
        family::on_fork(ctx.arg(0), ctx.arg(1));
        process::on_fork(ctx.arg(0), ctx.arg(1));
        0
    }

    /// `sched_process_exec(task, old_pid, bprm)`
    #[btf_tracepoint(function = "sched_process_exec")]
    #[inline(always)]
    fn process_exec(ctx: BtfTracePointContext) -> i32 {
        process::on_exec(ctx.arg(0), ctx.arg(2));
        0
    }

    #[btf_tracepoint(function = "sched_process_free")]
    #[inline(always)]
    fn process_free(ctx: BtfTracePointContext) -> i32 {
        family::on_free(ctx.arg(0));
        process::on_free(ctx.arg(0));
        0
    }

    // Cgroup programs: 1 lets a packet pass.

    #[cgroup_skb(egress)]
    #[inline(always)]
    fn dns_egress(ctx: SkBuffContext) -> i32 {
        dns::on_egress(&ctx);
        1
    }

    #[cgroup_skb(ingress)]
    #[inline(always)]
    fn dns_ingress(ctx: SkBuffContext) -> i32 {
        dns::on_ingress(&ctx);
        1
    }

    #[cgroup_sock_addr(sendmsg4)]
    #[inline(always)]
    fn dns_sendmsg4(ctx: SockAddrContext) -> i32 {
        dns::on_sendmsg(&ctx);
        1
    }

    #[cgroup_sock_addr(sendmsg6)]
    #[inline(always)]
    fn dns_sendmsg6(ctx: SockAddrContext) -> i32 {
        dns::on_sendmsg(&ctx);
        1
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}
