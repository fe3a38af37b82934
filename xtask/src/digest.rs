//! SHA-256 in the form that `sha256sum` prints.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The digest of some bytes, in lower-case hexadecimal.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of a file.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(of_bytes(&bytes))
}

/// A digest of several named parts, none of which can pass for another: each goes in with its length.
#[derive(Default)]
pub(crate) struct Parts(Sha256);

impl Parts {
    /// Adds one part.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) {
        for bytes in [name.as_bytes(), content] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    /// The digest of all parts so far, in lower-case hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), abc);
    }

    #[test]
    fn the_border_between_parts_counts() {
        let digest = |parts: [(&str, &str); 2]| {
            let mut all = Parts::default();
            parts.iter().for_each(|(name, content)| all.add(name, content.as_bytes()));
            all.finish()
        };
        assert_ne!(digest([("a", "b"), ("c", "d")]), digest([("a", "bc"), ("", "d")]));
    }
}
