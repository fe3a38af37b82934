//! How often memory is asked for on the way of findings from the ring to lines: a few times for a batch, whatever number of
//! findings it has.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: a panic is the verdict")]

#[path = "../benches/pipeline/sample.rs"]
mod sample;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use conn_observer::{kernel::Reasons, stream::Batch};
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

/// Findings of a small batch and of a large one.
const FEW: usize = 64;
const MANY: usize = 512;

/// Most allocations to complete a batch and to render it, however many events it has: what holds the events, their lines,
/// and the ends of those.
const OF_A_BATCH: u64 = 4;

/// Allocations of this thread for a call, and what it gave.
fn count<T>(call: impl FnOnce() -> T) -> (u64, T) {
    let before = COUNT.get();
    let made = call();
    (COUNT.get() - before, made)
}

/// The same finding, whose peer is on this host, too.
fn with_counterpart() -> Vec<u8> {
    let mut bytes = sample::record();
    let (mut record, _) = Record::read_from_prefix(&bytes).unwrap();
    (record.counterpart, record.counterpart_attribution) = (record.process, Attribution::OWNER);
    record.write_to_prefix(&mut bytes).unwrap();
    bytes
}

/// The same finding, whose stack ends with what is no code.
fn with_garbage() -> Vec<u8> {
    let mut bytes = sample::record();
    let (mut record, _) = Record::read_from_prefix(&bytes).unwrap();
    record.stack_bytes += 8;
    record.stack_room += 8;
    record.write_to_prefix(&mut bytes).unwrap();
    bytes.extend(0x546b_0000_0005_u64.to_ne_bytes());
    bytes
}

#[test]
fn a_finding_asks_for_no_memory_of_its_own() {
    for bytes in [sample::record(), with_counterpart(), with_garbage()] {
        check(&bytes);
    }
}

fn check(bytes: &[u8]) {
    let reasons = Reasons::default();
    let mut decoder = sample::decoder(&reasons);
    let mut completer = sample::completer(&mut decoder, bytes);
    let mut of_batch = |events: usize| {
        // As the stream makes it, which has just handed over one of as many.
        let mut batch =
            Batch { told: Vec::with_capacity(events), words: Vec::with_capacity(events * 64), ..Batch::default() };
        let (decoding, ()) = count(|| (0..events).for_each(|_| sample::decode(&mut decoder, bytes, &mut batch)));
        let (completing, delivery) = count(|| completer.complete(batch));
        let (rendering, length) = count(|| delivery.json().bytes());
        println!(
            "{events} events: {decoding} to decode, {completing} to complete, {rendering} to render {length} bytes"
        );
        assert_eq!(delivery.events().len(), events);
        (decoding, completing, rendering)
    };
    // What events share is rendered once.
    of_batch(1);
    // Now and then a process is looked at again.
    let [few, many] = [FEW, MANY].map(|events| (0..3).map(|_| of_batch(events)).min());
    assert_eq!(few, many, "so many events more, and not one allocation");
    let (decoding, completing, rendering) = many.expect("batches");
    assert_eq!(decoding, 0);
    assert!(completing + rendering <= OF_A_BATCH, "{completing} to complete, {rendering} to render");
}
