//! How often memory is asked for on the way of a finding from the ring to a line: a limit for each part, and the same
//! number whatever came before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: a panic is the verdict")]

#[path = "../benches/pipeline/sample.rs"]
mod sample;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use conn_observer::{kernel::Reasons, options::Format, render};
use observer_ebpf::{Attribution, Record};
use zerocopy::{FromBytes as _, IntoBytes as _};

/// Counts what a thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Findings of a run.
const EVENTS: u64 = 1_000;

/// Most allocations to decode a finding: itself, its time, two addresses, the id of its RST, and return addresses; and to
/// complete it: its sentence, its frames, and what it comes and goes in. Whom and what it is about it shares.
const DECODING: u64 = 7;
const COMPLETING: u64 = 5;

/// Allocations of this thread for each call.
fn count(mut call: impl FnMut()) -> u64 {
    let before = COUNT.get();
    (0..EVENTS).for_each(|_| call());
    (COUNT.get() - before).div_ceil(EVENTS)
}

/// The same finding, whose peer is on this host, too.
fn with_counterpart() -> Vec<u8> {
    let mut bytes = sample::record();
    let (mut record, _) = Record::read_from_prefix(&bytes).unwrap();
    (record.counterpart, record.counterpart_attribution) = (record.process, Attribution::OWNER);
    record.write_to_prefix(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_finding_takes_as_little_memory_as_it_is_made_of() {
    for bytes in [sample::record(), with_counterpart()] {
        check(&bytes);
    }
}

fn check(bytes: &[u8]) {
    let reasons = Reasons::default();
    let mut decoder = sample::decoder(&reasons);
    let mut completer = sample::completer(&mut decoder, bytes);
    let mut decode = || drop(black_box(sample::decoded(&mut decoder, black_box(bytes))));
    let decoding = count(&mut decode);
    let mut complete = || {
        let batch = sample::batch(vec![sample::decoded(&mut decoder, bytes)]);
        drop(black_box(completer.complete(batch)));
    };
    let (first, completing) = (count(&mut complete), count(&mut complete));
    let delivery = completer.complete(sample::batch(vec![sample::decoded(&mut decoder, bytes)]));
    let event = &delivery.events()[0];
    let mut line = Vec::new();
    render::line(Format::Json, event, &mut line);
    let rendering = count(|| {
        line.clear();
        render::line(Format::Json, black_box(event), &mut line);
    });
    println!("decoding {decoding}, decoding and completing {completing}, rendering {rendering}, {} bytes", line.len());
    assert_eq!(rendering, 0, "a buffer that is used again");
    assert_eq!(first, completing, "nothing grows");
    assert!(decoding <= DECODING, "{decoding} to decode");
    assert!(completing <= DECODING + COMPLETING, "{completing} to decode and complete");
}
