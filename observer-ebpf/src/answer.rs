//! A RST without a full socket on kernels before 6.10, where the tracepoint does not tell it: the entry of
//! `tcp_v4_send_reset()` and `tcp_v6_send_reset()`.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;

use crate::{
    read::Reader,
    reset,
    scratch::{self, story},
    segment,
    sock::{Common, tcp_state},
};

/// `tcp_v4_send_reset(sk, skb)`: `sk` may be null or a minisocket.
#[inline(always)]
pub(crate) fn on_answer<R: Reader, C: EbpfContext>(ctx: &C, sk: *const c_void, skb: *const c_void) {
    if skb.is_null() || segment::is_reset::<R>(skb) {
        return;
    }
    let minisocket = if sk.is_null() {
        false
    } else {
        if !matches!(Common::<R>::new(sk).state(), tcp_state::TIME_WAIT | tcp_state::NEW_SYN_RECV) {
            return; // the tracepoint tells it
        }
        true
    };
    let Some(scratch) = scratch::take(story::ANSWER) else { return };
    let prediction = if minisocket {
        reset::to_minisocket::<R>(&mut scratch.record, sk, skb)
    } else {
        reset::without_socket::<R>(&mut scratch.record, skb)
    };
    reset::conclude(ctx, scratch.run(), &prediction, None);
    scratch.release();
}
