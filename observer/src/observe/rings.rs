//! The rings of the kernel side: waiting for them, and taking what is there.

use std::future::pending;

use anyhow::{Context as _, Result};
use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

use crate::stream::Stream;

/// Rendered bytes at which the ring is left alone until they are taken.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// Lives that are read at a time.
const MOST_LIVES: usize = 16_384;

/// DNS messages that are read at a time: all that the ring holds.
const MOST_MESSAGES: usize = 8_192;

/// A ring whose reader the kernel side can wake.
pub(super) fn wakeable(ring: RingBuf<MapData>) -> Result<AsyncFd<RingBuf<MapData>>> {
    // SAFETY: the ring owns its descriptor as long as it lives, and always names that one.
    unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
        .map_err(|error| anyhow::Error::msg(error.to_string()))
        .context("cannot wait for a ring buffer")
}

/// Waits until the kernel side wants a ring to be read.
pub(super) async fn filled(ring: Option<&mut AsyncFd<RingBuf<MapData>>>) -> Result<()> {
    let Some(ring) = ring else { return pending().await };
    ring.readable_mut().await.context("cannot wait for a ring buffer")?.clear_ready();
    Ok(())
}

/// Takes what is in the rings, up to a full batch: findings first, then the lives of the processes they are about. Whether
/// findings may be left: nobody wakes the reader for what waits already.
pub(super) fn read(stream: &mut Stream<'_>, ring: &mut RingBuf<MapData>, lives: &mut RingBuf<MapData>) -> bool {
    let mut left = true;
    while left && stream.waiting() < BATCH_BYTES && !stream.is_full() {
        match ring.next() {
            Some(record) => stream.record(&record),
            None => left = false,
        }
    }
    drain_lives(stream, lives);
    left
}

/// Takes all that is in the rings: the hooks are gone, so it ends.
pub(super) fn drain(stream: &mut Stream<'_>, ring: &mut RingBuf<MapData>, lives: &mut RingBuf<MapData>) {
    while let Some(record) = ring.next() {
        stream.record(&record);
    }
    drain_lives(stream, lives);
}

/// Takes the lives that are there, at most a ring full: processes may be forked faster than they are read.
pub(super) fn drain_lives(stream: &mut Stream<'_>, lives: &mut RingBuf<MapData>) {
    for _ in 0..MOST_LIVES {
        match lives.next() {
            Some(record) => stream.life(&record),
            None => break,
        }
    }
}

/// Takes the DNS messages that are there, as above. After the findings: what a process was answered it has read before
/// it could connect.
pub(super) fn drain_dns(stream: &mut Stream<'_>, dns: Option<&mut RingBuf<MapData>>) {
    let Some(dns) = dns else { return };
    for _ in 0..MOST_MESSAGES {
        match dns.next() {
            Some(record) => stream.dns(&record),
            None => break,
        }
    }
}
