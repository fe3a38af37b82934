//! The actor's side: what a process can be told to do. Each role is one line of [`Stage::play`].

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{self, ExitCode};
use std::{io, thread};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde_json::{Value, json};

use crate::act::Act;
use crate::actor::COMM;
use crate::pair::{Family, Side};
use crate::{abort, orderly};

/// The actor's `main`: plays the script given as arguments, or line by line what stdin says.
pub fn main(script: &[String]) -> ExitCode {
    set_comm(COMM);
    let mut stage = Stage::default();
    if !script.is_empty() {
        for role in script.split(|word| word == "then") {
            stage.play(&role.iter().map(String::as_str).collect::<Vec<_>>());
        }
        return ExitCode::SUCCESS;
    }
    for line in io::stdin().lines() {
        let line = line.expect("stdin");
        let acts = stage.play(&line.split(' ').collect::<Vec<_>>());
        let mut stdout = io::stdout().lock();
        writeln!(
            stdout,
            "{}",
            acts.iter().map(Act::to_json).collect::<Value>()
        )
        .expect("stdout");
        stdout.flush().expect("stdout");
        if line.starts_with("exit-with ") {
            // No destructor runs: the kernel closes the sockets.
            process::exit(0);
        }
    }
    ExitCode::SUCCESS
}

/// What an actor holds open between two roles.
#[derive(Default)]
struct Stage {
    held: Vec<(TcpStream, TcpStream)>,
}

impl Stage {
    fn play(&mut self, words: &[&str]) -> Vec<Act> {
        let number = |index: usize| {
            words[index]
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("a number in {words:?}"))
        };
        match words[0] {
            "nothing" => Vec::new(),
            "unread" => vec![abort::unread(Family::V4, Side::Client, number(1))],
            "linger-zero" => vec![abort::linger_zero(Family::V4, Side::Client)],
            "orderly" => orderly::close(Family::V4, Side::Client).to_vec(),
            "hold" | "exit-with" => vec![self.hold(number(1))],
            "fork-unread" => fork_then_close_in_child(number(1)),
            "child-unread" => {
                in_child(move || vec![abort::unread(Family::V4, Side::Client, 100)])()
            }
            "thread-unread" => close_in_thread(words[1].to_owned(), number(2)),
            "dup-unread" => duplicate_then_close_both(number(1)),
            "pass-unread" => pass_to_child(number(1)),
            "comm" => {
                set_comm(words[1]);
                Vec::new()
            }
            "uid" => {
                // SAFETY: no pointers; the C library changes all threads.
                assert_eq!(unsafe { libc::setuid(number(1).try_into().unwrap()) }, 0);
                Vec::new()
            }
            "say" => {
                println!("{}", words[1]);
                Vec::new()
            }
            "exit" => process::exit(number(1).try_into().unwrap()),
            other => panic!("no role is called {other:?}"),
        }
    }

    /// Keeps a connection with unread data until the process ends.
    fn hold(&mut self, bytes: u64) -> Act {
        let pair = abort::with_unread(Family::V4, Side::Client, bytes);
        let act = Act::of(&pair.0, bytes);
        self.held.push(pair);
        act
    }
}

/// The parent closes first; the child's close is the last one.
fn fork_then_close_in_child(bytes: u64) -> Vec<Act> {
    let (closing, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
    let (mut parent_closed, mut closes) = io::pipe().expect("pipe");
    let parents = closing.try_clone().expect("dup");
    let child = in_child(move || {
        parent_closed
            .read_exact(&mut [0])
            .expect("the parent's word");
        let act = Act::of(&closing, bytes);
        drop(closing);
        vec![act]
    });
    drop(parents);
    closes.write_all(&[1]).expect("the child listens");
    let acts = child();
    drop(peer);
    acts
}

fn close_in_thread(name: String, bytes: u64) -> Vec<Act> {
    let close = move || vec![abort::unread(Family::V4, Side::Client, bytes)];
    thread::Builder::new()
        .name(name)
        .spawn(close)
        .expect("a thread")
        .join()
        .expect("it ends well")
}

/// Two descriptors of one socket. Between their closes is a fence, which so comes first in the stream.
fn duplicate_then_close_both(bytes: u64) -> Vec<Act> {
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
fn pass_to_child(bytes: u64) -> Vec<Act> {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .expect("pair");
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
    rustix::net::sendmsg(
        &ours,
        &[io::IoSlice::new(&[0])],
        &mut control,
        SendFlags::empty(),
    )
    .expect("sendmsg");
    drop(closing);
    rustix::io::write(&ours, &[1]).expect("the child listens");
    let acts = child();
    drop(peer);
    acts
}

fn receive_descriptor(socket: &OwnedFd) -> OwnedFd {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(
        socket,
        &mut [io::IoSliceMut::new(&mut [0])],
        &mut control,
        RecvFlags::empty(),
    )
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
fn in_child(body: impl FnOnce() -> Vec<Act>) -> impl FnOnce() -> Vec<Act> {
    let (mut reader, mut writer) = io::pipe().expect("pipe");
    // SAFETY: an actor has one thread (its named threads have been joined), so the child may do anything.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        let acts: Value = body().iter().map(Act::to_json).collect();
        writer
            .write_all(acts.to_string().as_bytes())
            .expect("the parent listens");
        // SAFETY: ends the child without running what the parent still needs.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0, "fork: {}", io::Error::last_os_error());
    drop((body, writer));
    move || {
        let mut answer = String::new();
        reader
            .read_to_string(&mut answer)
            .expect("the child answers");
        // SAFETY: a null status pointer is allowed.
        let ended = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert_eq!(ended, child);
        let acts: Value = serde_json::from_str(&answer).unwrap_or_else(|_| json!([]));
        let acts: Vec<Act> = acts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Act::from_json)
            .collect();
        assert!(!acts.is_empty(), "the child died");
        acts
    }
}

fn set_comm(name: &str) {
    let name = std::ffi::CString::new(name).expect("no NUL");
    rustix::thread::set_name(&name).expect("PR_SET_NAME");
}
