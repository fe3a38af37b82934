//! A load of connections that come and go, for measurements: one thread on one processor, in a network namespace of its
//! own, told what to do by lines on standard input.
//!
//! `run MODE SECONDS` answers with one JSON object: cycles, those of them that were bad closes, the seconds they took, and
//! what the kernel counted. Modes: `clean`, `unread`, `linger-zero`, `late`, `mixed:PERCENT` (of unread ones).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a tool for measurements fails by panicking")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, io};

use conn_observer_tests::netns::Netns;
use conn_observer_tests::sock;
use rustix::thread::{CpuSet, sched_setaffinity};

/// What a server answers with.
const ANSWER: [u8; 200] = [b'x'; 200];

/// Addresses of the loopback that are called in turn: the ports of one are soon used up.
const ADDRESSES: u8 = 64;

/// Sockets in TIME_WAIT at most, so that they do not eat the machine up.
const TIME_WAITS: u32 = 16_384;

/// Cycles between two looks at the clock.
const STRIDE: u64 = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Clean,
    Unread,
    LingerZero,
    Late,
    /// Every so many cycles an unread one.
    Mixed(u64),
}

impl Mode {
    fn of(word: &str) -> Self {
        match word.split_once(':') {
            None if word == "clean" => Self::Clean,
            None if word == "unread" => Self::Unread,
            None if word == "linger-zero" => Self::LingerZero,
            None if word == "late" => Self::Late,
            Some(("mixed", percent)) => Self::Mixed(100 / percent.parse::<u64>().expect("a percentage").clamp(1, 100)),
            _ => panic!("unknown mode {word}"),
        }
    }

    /// What the cycle of this number does.
    fn at(self, number: u64) -> Self {
        match self {
            Self::Mixed(every) if number.is_multiple_of(every) => Self::Unread,
            Self::Mixed(_) => Self::Clean,
            other => other,
        }
    }
}

fn main() {
    let processor = std::env::args().nth(1).and_then(|word| word.parse().ok()).expect("usage: churn PROCESSOR");
    Netns::run(|namespace| serve(namespace, processor));
}

fn serve(namespace: &Netns, processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).expect("a processor of its own");
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", TIME_WAITS.to_string()).expect("tcp_max_tw_buckets");
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", "2000 65000").expect("ip_local_port_range");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("listen");
    println!("{{\"pid\":{},\"netns\":{}}}", std::process::id(), namespace.inode());
    for line in io::stdin().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let ["run", mode, seconds] = words[..] else { panic!("expected run MODE SECONDS, not {line:?}") };
        let time = Duration::from_secs_f64(seconds.parse().expect("seconds"));
        run(namespace, &listener, Mode::of(mode), time);
    }
}

fn run(namespace: &Netns, listener: &TcpListener, mode: Mode, time: Duration) {
    let port = listener.local_addr().unwrap().port();
    let before = namespace.counters();
    let start = Instant::now();
    let (mut cycles, mut bad) = (0_u64, 0_u64);
    while !cycles.is_multiple_of(STRIDE) || start.elapsed() < time {
        let address = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(cycles % u64::from(ADDRESSES)).unwrap());
        let now = mode.at(cycles);
        cycle(listener, SocketAddrV4::new(address, port), now);
        cycles += 1;
        bad += u64::from(now != Mode::Clean);
    }
    let seconds = start.elapsed().as_secs_f64();
    let counted = namespace.counters().since(&before);
    println!(
        "{{\"cycles\":{cycles},\"bad\":{bad},\"seconds\":{seconds},\"aborts\":{},\"resets\":{}}}",
        counted.tcp_ext("TCPAbortOnClose"),
        counted.tcp("OutRsts")
    );
}

fn cycle(listener: &TcpListener, address: SocketAddrV4, mode: Mode) {
    let mut client = TcpStream::connect(address).expect("connect");
    let (mut server, _) = listener.accept().expect("accept");
    if mode == Mode::Late {
        drop(client);
        // The answer finds nobody.
        let _ = server.write_all(&ANSWER);
        return;
    }
    server.write_all(&ANSWER).expect("answer");
    match mode {
        Mode::Clean => client.read_exact(&mut [0; ANSWER.len()]).expect("the answer"),
        Mode::LingerZero => {
            client.read_exact(&mut [0; ANSWER.len()]).expect("the answer");
            sock::linger_zero(&client);
        }
        _ => {}
    }
    drop(client);
    if mode == Mode::Clean {
        assert_eq!(server.read(&mut [0]).expect("the end"), 0);
    }
}
