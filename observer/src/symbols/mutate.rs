//! Inputs that are almost right, for tests of parsers: the same ones in every run.

/// Endless variants of some bytes.
pub(crate) struct Mutations<'a> {
    seed: &'a [u8],
    state: u64,
}

impl<'a> Mutations<'a> {
    pub(crate) fn of(seed: &'a [u8], number: u64) -> Self {
        Self { seed, state: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// xorshift64: any generator will do, it must only be the same everywhere.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % bound.max(1) as u64) as usize
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let value = [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)];
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, value),
                2 => {
                    let end = (at + 8).min(bytes.len());
                    bytes[at..end].fill(value);
                }
                _ if at < bytes.len() => bytes[at] = value,
                _ => {}
            }
        }
        Some(bytes)
    }
}
