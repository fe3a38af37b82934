//! Where notes of sockets are kept: a table of sets, each with room for [`NOTE_WAYS`] sockets whose addresses lead there.
//!
//! The kernel's LRU map would do as well, but looking into it was a quarter of what a clean connection cost. Here the keys of a set
//! are a line of the processor's cache, and what is looked at of a note is another one.
//!
//! Nobody locks a set. Its keys change by additions alone, which no processor can undo or split: whoever wants a place adds to
//! its key what makes it his own, and takes that back when it is something else then, for another processor has added, too.

use crate::note::Note;

/// Sockets of a set.
pub const NOTE_WAYS: usize = 8;

/// Sets of the table.
pub const NOTE_SETS: u32 = 8_192;

/// A set. Zeros are an empty one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NoteSet {
    /// The address of the socket in each place; 0 where there is none.
    pub keys: [u64; NOTE_WAYS],
    /// The places.
    pub notes: [Note; NOTE_WAYS],
}

const _: () = assert!(size_of::<NoteSet>() == 768 && NOTE_SETS.is_power_of_two());

/// The set of a socket by its address, below [`NOTE_SETS`].
#[inline(always)]
#[must_use]
pub fn note_set(key: u64) -> u32 {
    // Knuth's multiplicative hash: the upper bits of a product depend on all of the number.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    (key.wrapping_mul(FACTOR) >> (u64::BITS - NOTE_SETS.ilog2())) as u32
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use super::*;

    #[test]
    fn sockets_are_spread_over_the_sets() {
        // Objects of the slab allocator: of one size, in blocks of pages here and there.
        for (size, block) in [(2_304, 32 << 10), (2_432, 32 << 10), (4_096, 4_096)] {
            let mut counts = vec![0_usize; NOTE_SETS as usize];
            let mut base = 0xffff_8881_0000_0000_u64;
            let mut sockets = 0;
            while sockets < NOTE_SETS as usize * NOTE_WAYS / 2 {
                for object in 0..block / size {
                    counts[note_set(base + object * size) as usize] += 1;
                    sockets += 1;
                }
                base += block * 3;
            }
            // Half full, by chance: more than eight in two sets of a hundred.
            let full = counts.iter().filter(|count| **count > NOTE_WAYS).count();
            assert!(full < NOTE_SETS as usize / 25, "{full} with objects of {size}");
        }
    }
}
