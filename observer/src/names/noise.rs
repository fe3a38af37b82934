//! Input for the tests of decoders: valid bytes, mutated by a seeded generator, so that a failure can be repeated.

/// A generator (SplitMix64).
pub(super) struct Noise(u64);

impl Noise {
    /// The generator of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap().checked_rem(bound).unwrap_or(0)
    }

    /// A few changes to a copy: bytes set, bits turned, parts cut, doubled, moved or filled with the same byte.
    pub(super) fn mutate(&mut self, valid: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for _ in 0..=self.below(6) {
            let (here, there) = (self.below(bytes.len()), self.below(bytes.len()));
            let (from, to) = (here.min(there), here.max(there));
            if bytes.is_empty() {
                bytes.push(self.next() as u8);
                continue;
            }
            match self.below(8) {
                0 => bytes[here] = self.next() as u8,
                1 => bytes[here] ^= 1 << self.below(8),
                2 => bytes[here] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff][self.below(8)],
                3 => bytes.truncate(here),
                4 => drop(bytes.drain(from..to)),
                5 => {
                    let part = bytes[from..to].to_vec();
                    bytes.splice(here..here, part);
                }
                6 => bytes.swap(here, there),
                _ => bytes[from..to].fill(self.next() as u8),
            }
            bytes.truncate(1 << 16);
        }
        bytes
    }
}
