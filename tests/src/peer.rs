//! A program in another language under observation: `tests/peers/{python,node}`, nginx, curl, Go.
//!
//! The small ones share a protocol. Arguments: `client ADDRESS PORT` or `server ADDRESS`. They print the port they
//! connected from or listen on, then (a server) `accepted`; never read; and close on a line on stdin, saying `closed`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal};

use crate::act::Act;
use crate::deadline::{DEADLINE, until};
use crate::pair::{Family, Side};
use crate::queue;

/// A running program that is talked to by lines.
pub struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a program in this thread's namespace.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdin, stdout }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line it says.
    pub fn listen(&mut self) -> String {
        let mut line = String::new();
        let count = self.stdout.read_line(&mut line).expect("a line");
        assert_ne!(count, 0, "the program ended: {:?}", self.child.wait());
        line.trim_end().to_owned()
    }

    /// Tells it a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("open"), "{line}").expect("the program listens");
    }

    /// The rest of what it says, and its exit status.
    pub fn finish(mut self) -> (Vec<String>, ExitStatus) {
        self.stdin = None;
        let rest = self.stdout.by_ref().lines().map(|line| line.expect("a line")).collect();
        (rest, self.child.wait().expect("wait"))
    }

    /// SIGSTOP, and waits until it has stopped: it reads nothing more then.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        until("the program to stop", || self.state() == 'T');
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Its state as in `/proc/PID/stat`: R, S, T …
    pub fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a living program");
        // The name, in parentheses, may hold anything.
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a state")
    }

    /// Bytes it has said that nobody listened to yet (0 while some of them are in our buffer).
    pub fn unheard(&self) -> u64 {
        rustix::io::ioctl_fionread(self.stdout.get_ref()).expect("FIONREAD")
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("signal");
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets a program close one connection with `bytes` unread. We are its peer.
pub fn close_unread(command: Command, family: Family, side: Side, bytes: u64) -> Act {
    close_unread_and_stay(command, family, side, bytes).1
}

/// The same by a program that then waits for the end of stdin, and so lives for as long as it is held.
pub fn close_unread_and_stay(mut command: Command, family: Family, side: Side, bytes: u64) -> (Peer, Act) {
    // As the program sees it, and as we do: a mapped address is IPv4 at our end.
    let (its_host, its_wildcard, our_ip) = match family {
        Family::V4 => ("127.0.0.1", "127.0.0.1", IpAddr::from(Ipv4Addr::LOCALHOST)),
        Family::V6 => ("::1", "::1", Ipv6Addr::LOCALHOST.into()),
        Family::V4Mapped => ("::ffff:127.0.0.1", "::", Ipv4Addr::LOCALHOST.into()),
    };
    let (mut program, mut ours) = match side {
        Side::Client => {
            let listener = TcpListener::bind((our_ip, 0)).expect("listen");
            command.args(["client", its_host, &listener.local_addr().unwrap().port().to_string()]);
            let mut program = Peer::spawn(command);
            program.listen();
            (program, listener.accept().expect("accept").0)
        }
        Side::Server => {
            command.args(["server", its_wildcard]);
            let mut program = Peer::spawn(command);
            let port: u16 = program.listen().parse().expect("a port");
            let ours = TcpStream::connect((our_ip, port)).expect("connect");
            assert_eq!(program.listen(), "accepted");
            (program, ours)
        }
    };
    let act = by_peer(&program, &ours, bytes);
    ours.set_write_timeout(Some(DEADLINE)).expect("a write timeout");
    ours.write_all(&vec![b'x'; usize::try_from(bytes).unwrap()]).expect("send");
    queue::wait_for(act.local.port(), act.peer.port(), bytes);
    program.tell("close");
    assert_eq!(program.listen(), "closed");
    (program, act)
}

/// A close by the main thread of the program at the other end of `ours`.
pub fn by_peer(program: &Peer, ours: &TcpStream, unread: u64) -> Act {
    let (local, peer) = (ours.peer_addr().expect("connected"), ours.local_addr().expect("connected"));
    Act { pid: program.pid(), tid: program.pid(), local, peer, unread }
}
