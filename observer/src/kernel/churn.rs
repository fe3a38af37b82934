//! Connections counted by process and peer, taken from the programs' map window by window.
//!
//! The map holds two windows, told apart in the key. To take one: 1. the programs are told to count in the other one,
//! 2. those that were told too late have ended, 3. so the entries stay as they are, and are read and removed. Nothing
//! is counted twice or lost, as it would be if entries were removed that a program may be adding to.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use observer_ebpf::{Churn, Pair};
use zerocopy::transmute;

use super::grace;

/// A pair and what was counted of it, as words.
type Counters<M> = HashMap<M, [u64; size_of::<Pair>() / 8], [u64; size_of::<Churn>() / 8]>;

/// Ends the window and takes what was counted in it. The next one begins.
///
/// # Errors
/// When a map cannot be read or written.
pub(super) fn take(ebpf: &mut Ebpf) -> Result<Vec<(Pair, Churn)>> {
    let window = turn(ebpf)?;
    grace::settle();
    let map = ebpf.map_mut("CHURN").context("the kernel object has no map CHURN")?;
    let mut counters: Counters<&mut MapData> = HashMap::try_from(map)?;
    let mut over = Vec::new();
    for key in counters.keys() {
        let key = key.context("cannot read the connections by process and peer")?;
        let pair: Pair = transmute!(key);
        if u32::from(pair.window) == window {
            over.push(key);
        }
    }
    let mut taken = Vec::with_capacity(over.len());
    for key in over {
        match counters.get(&key, 0) {
            Ok(churn) => taken.push((transmute!(key), transmute!(churn))),
            Err(MapError::KeyNotFound) => continue,
            Err(error) => return Err(error).context("cannot read the connections by process and peer"),
        }
        counters.remove(&key).context("cannot remove connections by process and peer")?;
    }
    Ok(taken)
}

/// Lets the programs count in the other window. Returns the one that is over.
fn turn(ebpf: &mut Ebpf) -> Result<u32> {
    let map = ebpf.map_mut("CHURN_WINDOW").context("the kernel object has no map CHURN_WINDOW")?;
    let mut current: Array<&mut MapData, u32> = Array::try_from(map)?;
    let window = current.get(&0, 0)?;
    current.set(0, 1 - window.min(1), 0)?;
    Ok(window)
}
