//! What one finding costs in each part of the pipeline: `cargo bench -p conn-observer`. docs/performance.md tells what it
//! came to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]

mod sample;

use std::{fmt::Write as _, hint::black_box};

use conn_observer::{
    delivery::Delivery, event::Body, judge, kernel::Reasons, options::Format, render, store::Recorder, stream::Batch,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Findings of a batch.
const BATCH: u64 = 256;

fn pipeline(criterion: &mut Criterion) {
    let bytes = sample::record();
    let reasons = Reasons::default();
    let mut decoder = sample::decoder(&reasons);
    let mut completer = sample::completer(&mut decoder, &bytes);
    let delivery = completer.complete(sample::batch(&mut decoder, &bytes, 1));
    let event = delivery.events()[0].clone();
    let Body::Close(finding) = &event.body else { panic!("not a close: {event:?}") };
    let stack = finding.stack.as_ref().expect("a stack");
    assert!(stack.user.iter().all(|frame| frame.symbol.is_some()), "symbols are part of it: {stack:?}");

    let mut batch = Batch::default();
    criterion.bench_function("decode", |bencher| {
        bencher.iter(|| {
            batch.told.clear();
            batch.words.clear();
            sample::decode(&mut decoder, black_box(&bytes), &mut batch);
        });
    });
    let mut sentence = String::new();
    criterion.bench_function("classify", |bencher| {
        bencher.iter(|| {
            sentence.clear();
            // Writing to a string cannot fail.
            let _ = write!(sentence, "{}", black_box(event.message()));
            judge::severity(black_box(finding))
        });
    });
    criterion.bench_function("attribute", |bencher| {
        let batch = || sample::batch(&mut decoder, &bytes, 1);
        bencher.iter_batched(batch, |batch| completer.complete(batch), BatchSize::SmallInput);
    });
    let mut line = Vec::new();
    criterion.bench_function("serialise", |bencher| {
        bencher.iter(|| {
            line.clear();
            render::line(Format::Json, black_box(&event), &mut line);
        });
    });
    criterion.bench_function("all, to JSON", |bencher| {
        bencher.iter(|| {
            let delivery: Delivery = completer.complete(sample::batch(&mut decoder, black_box(&bytes), 1));
            delivery.json().bytes()
        });
    });

    let events = vec![event.clone(); BATCH as usize];
    let mut store = criterion.benchmark_group("store");
    store.throughput(Throughput::Elements(BATCH));
    store.bench_function("append 256", |bencher| {
        let mut recorder = Recorder::in_memory().unwrap();
        bencher.iter(|| recorder.append(black_box(&events)).unwrap());
    });
    store.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
