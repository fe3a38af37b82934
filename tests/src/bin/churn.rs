//! A load of connections that come and go, for measurements: one thread on one processor, in network namespaces of its
//! own, told what to do by lines on standard input. `churn PROCESSOR [NAMESPACES]`
//!
//! `run MODE SECONDS [NAMESPACES [PROCESSES]]` uses the first so many of its namespaces in turn, by so many processes in turn,
//! and answers with one JSON object: cycles, those of them that were bad closes, the seconds they took, and what the kernel counted in
//! the namespaces. Modes: `clean`, `unread`, `linger-zero`, `late`, `mixed:PERCENT` (of unread ones).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a tool for measurements fails by panicking")]

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use conn_observer_tests::counters::Counters;
use conn_observer_tests::netns::Entered;
use conn_observer_tests::sock;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

/// What a server answers with.
const ANSWER: [u8; 200] = [b'x'; 200];

/// Addresses of the loopback that are called in turn: the ports of one are soon used up.
const ADDRESSES: u8 = 64;

/// Sockets in TIME_WAIT at most, so that they do not eat the machine up.
const TIME_WAITS: u32 = 16_384;

/// Cycles between two looks at the clock, and of one process at a time.
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
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>().ok());
    let processor = numbers.next().flatten().expect("usage: churn PROCESSOR [NAMESPACES]");
    let namespaces = numbers.next().flatten().unwrap_or(1).max(1);
    // Whatever is left behind by a thread that ends goes with its namespaces.
    thread::spawn(move || serve(processor, namespaces)).join().expect("the load has failed");
}

/// A namespace and who listens in it.
struct Place {
    namespace: Entered,
    listener: TcpListener,
}

impl Place {
    fn make() -> Self {
        let namespace = Entered::new().expect("a network namespace");
        fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", TIME_WAITS.to_string()).expect("tcp_max_tw_buckets");
        fs::write("/proc/sys/net/ipv4/ip_local_port_range", "2000 65000").expect("ip_local_port_range");
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("listen");
        Self { namespace, listener }
    }
}

fn serve(processor: usize, namespaces: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).expect("a processor of its own");
    let places: Vec<Place> = (0..namespaces).map(|_| Place::make()).collect();
    println!("{{\"pid\":{},\"netns\":{}}}", std::process::id(), places[0].namespace.inode());
    let mut workers = Vec::new();
    for line in io::stdin().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let ["run", mode, seconds, ref rest @ ..] = words[..] else {
            panic!("expected run MODE SECONDS, not {line:?}")
        };
        let time = Duration::from_secs_f64(seconds.parse().expect("seconds"));
        let count = |index: usize| rest.get(index).map_or(1, |count| count.parse::<usize>().expect("a number"));
        let (places, processes) = (&places[..count(0)], count(1));
        if processes == 1 {
            run(places, time, |cycles| slice(places, Mode::of(mode), cycles));
            continue;
        }
        while workers.len() < processes {
            let worker = Worker::fork(places, &mut workers);
            workers.push(worker);
        }
        let turn = |cycles: u64| usize::try_from(cycles / STRIDE).unwrap() % processes;
        run(places, time, |cycles| workers[turn(cycles)].slice(mode, cycles));
    }
}

/// Another process that makes cycles, in the namespaces that were in use when it was made.
struct Worker {
    orders: PipeWriter,
    answers: BufReader<PipeReader>,
}

impl Worker {
    fn fork(places: &[Place], others: &mut Vec<Self>) -> Self {
        let (order, orders) = io::pipe().expect("a pipe");
        let (answers, answer) = io::pipe().expect("a pipe");
        // SAFETY: no other thread of this process holds a lock that the child wants: the first one waits for this one.
        match unsafe { libc::fork() } {
            -1 => panic!("fork: {}", io::Error::last_os_error()),
            0 => {
                drop((orders, answers));
                others.clear();
                set_parent_process_death_signal(Some(Signal::KILL)).expect("a signal at the end");
                work(places, order, answer);
                std::process::exit(0)
            }
            _ => Self { orders, answers: BufReader::new(answers) },
        }
    }

    /// [`slice()`] in that process.
    fn slice(&mut self, mode: &str, cycles: u64) -> u64 {
        writeln!(self.orders, "{mode} {cycles}").expect("a process");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a process");
        line.trim().parse().expect("a number")
    }
}

fn work(places: &[Place], orders: PipeReader, mut answers: PipeWriter) {
    places[0].namespace.enter();
    for line in BufReader::new(orders).lines() {
        let line = line.expect("an order");
        let (mode, cycles) = line.split_once(' ').expect("an order");
        let bad = slice(places, Mode::of(mode), cycles.parse().expect("a number"));
        writeln!(answers, "{bad}").expect("an answer");
    }
}

/// As many cycles as are made at a time, from this number on; how many were bad.
fn slice(places: &[Place], mode: Mode, first: u64) -> u64 {
    let mut bad = 0;
    for number in first..first + STRIDE {
        let place = &places[usize::try_from(number).unwrap() % places.len()];
        if places.len() > 1 {
            place.namespace.enter();
        }
        let port = place.listener.local_addr().unwrap().port();
        let address = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % u64::from(ADDRESSES)).unwrap());
        let now = mode.at(number);
        cycle(&place.listener, SocketAddrV4::new(address, port), now);
        bad += u64::from(now != Mode::Clean);
    }
    bad
}

fn run(places: &[Place], time: Duration, mut slice: impl FnMut(u64) -> u64) {
    let before: Vec<Counters> = places.iter().map(|place| place.namespace.counters()).collect();
    let start = Instant::now();
    let (mut cycles, mut bad) = (0_u64, 0_u64);
    while start.elapsed() < time {
        bad += slice(cycles);
        cycles += STRIDE;
    }
    let seconds = start.elapsed().as_secs_f64();
    let (mut aborts, mut resets) = (0, 0);
    for (place, before) in places.iter().zip(&before) {
        let counted = place.namespace.counters().since(before);
        aborts += counted.tcp_ext("TCPAbortOnClose");
        resets += counted.tcp("OutRsts");
    }
    println!("{{\"cycles\":{cycles},\"bad\":{bad},\"seconds\":{seconds},\"aborts\":{aborts},\"resets\":{resets}}}");
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
