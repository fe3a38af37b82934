//! More stacks than anybody can look up.

use std::time::{Duration, Instant};

use conn_observer::{
    procfile,
    symbols::{Limits, Request, Stats, Symbolizer},
};

use super::{
    ask::user,
    native::compile,
    program::{Scratch, Told},
    suite::tests,
};

tests![
    [] few_processes_are_answered_at_once_however_often_they_come,
    [] unknown_stacks_and_processes_without_end_take_bounded_memory_and_time,
];

const LIMITS: Limits =
    Limits { memory: 2 << 20, queue: 16, processes: 8, workers: 2, idle: Duration::from_secs(60), keep_kernel: false };

/// Bytes of memory that are not backed by a file.
fn memory() -> u64 {
    let field = procfile::field("/proc/self/status", "RssAnon").unwrap();
    field.trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

fn check(stats: Stats, asked: u64) {
    assert_eq!(stats.hits + stats.misses, asked, "{stats:?}");
    assert!(stats.late + stats.shed <= stats.misses, "{stats:?}");
    assert!(stats.memory <= LIMITS.memory && stats.processes <= LIMITS.processes, "{stats:?}");
}

fn few_processes_are_answered_at_once_however_often_they_come() {
    const ROUNDS: u64 = 10_000;
    let scratch = Scratch::new();
    let programs = [&["-pie", "-fPIE"][..], &["-no-pie"]].map(|flags| Told::start(&mut compile(&scratch, flags)));
    let symbolizer = Symbolizer::start(LIMITS).unwrap();
    let before = memory();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for program in &programs {
            let frames = user(&symbolizer, &program.request(), Instant::now() + Duration::from_millis(5));
            assert!(frames.len() >= program.addresses.len());
        }
    }
    let (took, stats) = (start.elapsed(), symbolizer.stats());
    check(stats, 2 * ROUNDS);
    assert!(took < Duration::from_secs(10), "a tenth of a second is usual: {took:?}");
    assert!(stats.hits > ROUNDS, "after a short time everything is known: {stats:?}");
    assert!(memory() - before.min(memory()) < 32 << 20);
}

fn unknown_stacks_and_processes_without_end_take_bounded_memory_and_time() {
    const STACKS: u64 = 20_000;
    let scratch = Scratch::new();
    let program = Told::start(&mut compile(&scratch, &[]));
    let symbolizer = Symbolizer::start(LIMITS).unwrap();
    let before = memory();
    let start = Instant::now();
    for number in 0..STACKS {
        // Every other one of a process that is gone, with a program that can still be read.
        let addresses = program.addresses.iter().map(|address| address.wrapping_add(number % 4000));
        let addresses: Vec<u64> = addresses.collect();
        let start_ns = if number % 2 == 0 { program.start_ns } else { 1_000_000_000 + number * 10_000_000 };
        let request = Request { start_ns, addresses: &addresses, ..program.request() };
        // Those who do not wait at all fill the queue, however fast the machine is.
        let budget = Duration::from_millis(if number < STACKS / 2 { 5 } else { 0 });
        let frames = user(&symbolizer, &request, Instant::now() + budget);
        assert!(frames.len() >= addresses.len());
        assert_eq!(frames.iter().filter(|frame| frame.address.is_some()).count(), addresses.len());
    }
    let (took, stats) = (start.elapsed(), symbolizer.stats());
    check(stats, STACKS);
    // Nobody waits longer in all than a quarter of the time and a first quarter of a second.
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(stats.late > 0 && stats.shed > 0 && stats.evicted > 0, "{stats:?}");
    let grown = memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown}");
}
