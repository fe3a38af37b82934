//! Sockets that several descriptors or processes share: only the last close of them all is a close to the kernel.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use serde_json::{Value, json};

use crate::abort;
use crate::act::Act;
use crate::pair::{Family, Side};

/// The parent closes first; the child's close is the last one.
pub(crate) fn fork_then_close_in_child(bytes: u64) -> Vec<Act> {
    let (closing, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let (mut parent_closed, mut closes) = io::pipe().expect("pipe");
    let child = in_child(move || {
        parent_closed.read_exact(&mut [0]).expect("the parent's word");
        let act = Act::of(&closing, bytes);
        drop(closing);
        vec![act]
    });
    closes.write_all(&[1]).expect("the child listens");
    let acts = child();
    drop(peer);
    acts
}

/// Children that end at once, one after the other.
pub(crate) fn fork_many(count: u64) {
    for _ in 0..count {
        // SAFETY: the child does nothing but end.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: runs nothing of what the parent still needs.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: a null status pointer is allowed.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
    }
}

/// Two descriptors of one socket. Between their closes is a fence, which so comes first in the stream.
pub(crate) fn duplicate_then_close_both(bytes: u64) -> Vec<Act> {
    let (closing, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let duplicate = closing.try_clone().expect("dup");
    drop(closing);
    let fence = abort::fence();
    let act = Act::of(&duplicate, bytes);
    drop(duplicate);
    drop(peer);
    vec![fence, act]
}

/// SCM_RIGHTS: the child gets the socket in a message and closes it when it is the last one to have it.
pub(crate) fn pass_to_child(bytes: u64) -> Vec<Act> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("pair");
    let child = in_child(move || {
        let closing = TcpStream::from(receive_descriptor(&theirs));
        rustix::io::read(&theirs, &mut [0; 1]).expect("the parent's word");
        let act = Act::of(&closing, bytes);
        drop(closing);
        vec![act]
    });
    let (closing, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [closing.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    rustix::net::sendmsg(&ours, &[io::IoSlice::new(&[0])], &mut control, SendFlags::empty()).expect("sendmsg");
    drop(closing);
    rustix::io::write(&ours, &[1]).expect("the child listens");
    let acts = child();
    drop(peer);
    acts
}

fn receive_descriptor(socket: &OwnedFd) -> OwnedFd {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(socket, &mut [io::IoSliceMut::new(&mut [0])], &mut control, RecvFlags::empty())
        .expect("recvmsg");
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .expect("a descriptor")
}

/// Forks; the child does `body`, reports its acts through a pipe and ends. The returned function waits for that.
///
/// `body` is moved into the closure and so dropped in the parent here, before the wait: what it owns is closed there.
pub(crate) fn in_child(body: impl FnOnce() -> Vec<Act>) -> impl FnOnce() -> Vec<Act> {
    let (mut reader, mut writer) = io::pipe().expect("pipe");
    // SAFETY: an actor has one thread (its named threads have been joined), so the child may do anything.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        let acts: Value = body().iter().map(Act::to_json).collect();
        writer.write_all(acts.to_string().as_bytes()).expect("the parent listens");
        // SAFETY: ends the child without running what the parent still needs.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0, "fork: {}", io::Error::last_os_error());
    drop((body, writer));
    move || {
        let mut answer = String::new();
        reader.read_to_string(&mut answer).expect("the child answers");
        // SAFETY: a null status pointer is allowed.
        let ended = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert_eq!(ended, child);
        let acts: Value = serde_json::from_str(&answer).unwrap_or_else(|_| json!([]));
        let acts: Vec<Act> = acts.as_array().into_iter().flatten().filter_map(Act::from_json).collect();
        assert!(!acts.is_empty(), "the child died");
        acts
    }
}
