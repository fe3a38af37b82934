//! The actor's side: what a process can be told to do. Each role is one line of `Stage::play`.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};
use std::{io, thread};

use serde_json::Value;

use crate::act::{self, Act};
use crate::actor::{self, COMM};
use crate::pair::{Family, Side};
use crate::{abort, crowd, kill, late, nameserver, orderly, sharing, sock};

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
        writeln!(stdout, "{}", acts.iter().map(Act::to_json).collect::<Value>()).expect("stdout");
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
    held: Vec<TcpStream>,
    /// The server's ends of connections that were closed in order.
    closed: Vec<TcpStream>,
    /// Connected to a name server.
    resolver: Option<UdpSocket>,
}

impl Stage {
    fn play(&mut self, words: &[&str]) -> Vec<Act> {
        let number = |index: usize| words[index].parse::<u64>().unwrap_or_else(|_| panic!("a number in {words:?}"));
        match words[0] {
            "nothing" => Vec::new(),
            "unread" => vec![abort::unread(Family::V4, Side::Client, number(1))],
            "unread-many" => {
                for _ in 0..number(1) {
                    abort::unread(Family::V4, Side::Client, 3);
                }
                Vec::new()
            }
            "linger-zero" => vec![abort::linger_zero(Family::V4, Side::Client)],
            "orderly" => orderly::close(Family::V4, Side::Client).to_vec(),
            // A close in order, and later data for it.
            "close-early" => {
                let (act, server) = late::closed(Family::V4, Some(late::LONG_LINGER2));
                self.closed.push(server);
                vec![act]
            }
            "send-late" => {
                self.closed.drain(..).for_each(late::send_late);
                Vec::new()
            }
            "hold" | "exit-with" => vec![self.hold(number(1))],
            "connect" => vec![self.connect(number(1))],
            "connect-name" => vec![self.connect_name(words[1], number(2))],
            "ask" => {
                nameserver::ask(words[1].parse().expect("a name server's address"), words[2]);
                Vec::new()
            }
            "ask-by-one-socket" => {
                let server = words[1].parse().expect("a name server's address");
                nameserver::ask_by(self.resolver.get_or_insert_with(|| nameserver::connected(server)), words[2]);
                Vec::new()
            }
            "connect-many" => self.connect_many(words[1], number(2)),
            "write" => {
                self.held.last_mut().expect("a connection").write_all(&vec![b'x'; number(1) as usize]).expect("send");
                Vec::new()
            }
            "kill" => {
                kill::destroy(words[1].parse().unwrap(), words[2].parse().unwrap()).expect("SOCK_DESTROY");
                Vec::new()
            }
            "spin" => {
                spin_on(number(1));
                Vec::new()
            }
            "close" => {
                self.held.clear();
                Vec::new()
            }
            "fork-unread" => sharing::fork_then_close_in_child(number(1)),
            "child-unread" => sharing::in_child(move || vec![abort::unread(Family::V4, Side::Client, 100)])(),
            "thread-unread" => close_in_thread(words[1].to_owned(), number(2)),
            "dup-unread" => sharing::duplicate_then_close_both(number(1)),
            "pass-unread" => sharing::pass_to_child(number(1)),
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
            "listen" => {
                io::stdin().read_line(&mut String::new()).expect("stdin");
                Vec::new()
            }
            "fork-many" => {
                sharing::fork_many(number(1));
                Vec::new()
            }
            // The rest of the script is played by the same process, as another program.
            "become" => {
                let program = std::env::current_exe().expect("our path");
                panic!("{}", process::Command::new(program).arg(actor::FLAG).args(&words[1..]).exec());
            }
            "exit" => process::exit(number(1).try_into().unwrap()),
            other => panic!("no role is called {other:?}"),
        }
    }

    /// Keeps a connection with unread data until the process ends.
    fn hold(&mut self, bytes: u64) -> Act {
        let (closing, peer) = abort::with_unread(Family::V4, Side::Client, bytes);
        let act = Act::of(&closing, bytes);
        self.held.extend([closing, peer]);
        act
    }

    /// Keeps a connection to a host, which the resolver of the C library finds.
    fn connect_name(&mut self, host: &str, port: u64) -> Act {
        let port = u16::try_from(port).expect("a port");
        let stream = TcpStream::connect((host, port)).unwrap_or_else(|error| panic!("{host}: {error}"));
        let act = Act::of(&stream, 0);
        self.held.push(stream);
        act
    }

    /// Keeps connections to somebody else that are as they come.
    fn connect_many(&mut self, address: &str, count: u64) -> Vec<Act> {
        crowd::allow_files();
        let connect = |_| TcpStream::connect(address).expect("connect");
        let streams: Vec<TcpStream> = (0..count).map(connect).collect();
        let acts = streams.iter().map(|stream| Act::of(stream, 0)).collect();
        self.held.extend(streams);
        acts
    }

    /// Keeps a connection to somebody else, which once closed will wait for late data as a full socket.
    fn connect(&mut self, port: u64) -> Act {
        let port = u16::try_from(port).expect("a port");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        sock::linger2(&stream, late::LONG_LINGER2);
        let act = Act::of(&stream, 0);
        self.held.push(stream);
        act
    }
}

/// Keeps a CPU busy until the process ends.
fn spin_on(cpu: u64) {
    let spin = move || {
        act::stay_on(cpu as usize);
        loop {
            std::hint::spin_loop();
        }
    };
    thread::Builder::new().name("spinner".into()).spawn(spin).expect("a thread");
}

fn close_in_thread(name: String, bytes: u64) -> Vec<Act> {
    let close = move || vec![abort::unread(Family::V4, Side::Client, bytes)];
    thread::Builder::new().name(name).spawn(close).expect("a thread").join().expect("it ends well")
}

fn set_comm(name: &str) {
    let name = std::ffi::CString::new(name).expect("no NUL");
    rustix::thread::set_name(&name).expect("PR_SET_NAME");
}
