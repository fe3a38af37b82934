//! Tables of sets, in which a number leads to a few places: what the tables share.

use core::ptr::read_volatile;

use crate::verifier::opaque;

/// Where a number is among so many, or how many they are if it is not there. Without branches, each of which would be another
/// way for the verifier.
///
/// # Safety
/// They are in a value of a map.
#[inline(always)]
pub(crate) unsafe fn position<T: Copy + Into<u64>, const WAYS: usize>(numbers: *const [T; WAYS], wanted: T) -> u64 {
    let mut found = WAYS as u64;
    for way in 0..WAYS {
        // SAFETY: as the caller promises.
        let differs = opaque(unsafe { read_volatile(numbers.cast::<T>().add(way)) }.into() ^ wanted.into());
        // All bits where it is the same.
        let same = ((differs.wrapping_sub(1) & !differs) as i64 >> 63) as u64;
        found ^= (found ^ way as u64) & same;
    }
    found
}
