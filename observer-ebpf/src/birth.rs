//! A connection begins: who connects, listens, accepts. Remembered for what later happens to it in a softirq.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns};
use observer_ebpf::{ABSENT, ListenerKey, Note, Owner, Role, note_flag};

use crate::{
    churn, filter,
    frozen::{offset, setting},
    notes, owners,
    read::{Direct, Reader},
    scratch::{self, story},
    sock::{Sock, tcp_state},
    task,
};

/// CLOSE to SYN_SENT: `connect()`. The port is chosen later, so it is a matter of the socket as yet.
#[inline(always)]
pub(crate) fn on_connect(sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    if !sock.owned() || !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story::STATE) else { return };
    task::current(scratch.run());
    if let Some(note) = notes::get_or_make(sock.key()) {
        *note = Note { connector: scratch.who, ..Note::BLANK };
    }
    scratch.release();
}

/// CLOSE to LISTEN: `listen()`.
#[inline(always)]
pub(crate) fn on_listen(sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let netns = sock.common.netns();
    if !sock.owned() || !filter::netns(netns) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story::STATE) else { return };
    task::current(scratch.run());
    // Without a port, `listen()` chooses one later.
    if sock.common.num() != 0 {
        let ends = sock.common.endpoints(sock.common.num());
        let key = ListenerKey { local: ends.local, netns, port: u32::from(ends.local_port) };
        owners::listening(&key, &scratch.who);
    }
    scratch.release();
}

/// LISTEN to CLOSE: what nobody accepted is reset next, one by one, by this task.
#[inline(always)]
pub(crate) fn on_listener_closed(sk: *const c_void) {
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    let offset = offset!(sk_ack_backlog);
    let count = if offset == ABSENT { 0 } else { sock.common.load(offset) };
    owners::leaves_unaccepted(bpf_get_current_pid_tgid(), count);
}

/// The handshake is done.
#[inline(always)]
pub(crate) fn on_established(sk: *const c_void, old: u8) {
    let role = match old {
        tcp_state::SYN_SENT => Role::CLIENT,
        tcp_state::SYN_RECV => Role::SERVER,
        _ => return,
    };
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    // SAFETY: helper without arguments.
    let born_ns = unsafe { bpf_ktime_get_boot_ns() };
    let Some(note) = notes::get_or_make(sock.key()) else { return };
    note.born_ns = born_ns;
    if role == Role::SERVER && note.flags & note_flag::OWNED != 0 {
        // Accepted already: with TCP Fast Open, or by a process that was quicker than the rest of the handshake.
        return;
    }
    note.role = role;
    note.flags = if role == Role::CLIENT { note_flag::OWNED } else { 0 };
    if !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story::STATE) else { return };
    scratch.record.endpoints = sock.endpoints();
    owners::approach(scratch.run());
    // Until somebody accepts it, it is its listener's.
    if role == Role::CLIENT && note.connector.tgid != 0 {
        scratch.who = note.connector;
        scratch.owner = Owner { born_ns, role, ..Owner::BLANK };
        if setting!(churn) != 0 {
            churn::opened(scratch.run(), role);
        }
        owners::put(scratch.run(), born_ns);
    }
    scratch.release();
}

/// `inet_csk_accept()` returns a connection to the running task.
#[inline(always)]
pub(crate) fn on_accept<R: Reader>(sk: *const c_void) {
    if sk.is_null() {
        return;
    }
    let Some(sock) = Sock::<R>::new(sk) else { return };
    owned_by_current(story::ACCEPT, &sock);
}

/// `tcp_rcv_space_adjust`: a task has read from a connection. Serves where no function may be hooked: the first one to
/// read from an accepted connection has accepted it, or was given it.
#[inline(always)]
pub(crate) fn on_read(sk: *const c_void) {
    match notes::get(Direct::key(sk)) {
        Some(note) if note.flags & note_flag::OWNED == 0 && note.role == Role::SERVER => {}
        _ => return,
    }
    let Some(sock) = Sock::<Direct>::new(sk) else { return };
    // kTLS and sockmap read in softirqs.
    if sock.owned() {
        owned_by_current(story::ACCEPT, &sock);
    }
}

/// The running task holds the connection now.
#[inline(always)]
fn owned_by_current<R: Reader>(story: u32, sock: &Sock<R>) {
    let (mut born_ns, mut role, mut opens) = (0, Role::SERVER, false);
    if let Some(note) = notes::get(sock.key()) {
        opens = note.flags & note_flag::OWNED == 0;
        note.flags |= note_flag::OWNED;
        (born_ns, role) = (note.born_ns, note.role);
    } else if let Some(note) = notes::make(sock.key()) {
        note.role = role;
        note.flags = note_flag::OWNED;
    }
    if !filter::netns(sock.common.netns()) {
        return;
    }
    let Some(scratch) = scratch::take_for_owner(story) else { return };
    scratch.record.endpoints = sock.endpoints();
    owners::approach(scratch.run());
    task::current(scratch.run());
    scratch.owner = Owner { born_ns, role, ..Owner::BLANK };
    if setting!(churn) != 0 && opens {
        churn::opened(scratch.run(), role);
    }
    // SAFETY: helper without arguments.
    owners::put(scratch.run(), unsafe { bpf_ktime_get_boot_ns() });
    scratch.release();
}
