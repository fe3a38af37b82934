//! Where names stand in a BTF file. The library goes through all types, a hundred thousand, for each name that it is asked for;
//! one walk for all of them is a tenth of the start less.
//!
//! What it takes of the format (`include/uapi/linux/btf.h`) is how long each type is. A file with a kind of types that it
//! does not know has no index, and the library is asked.

/// `struct btf_header`, as far as it is looked at.
pub(super) const MAGIC: u16 = 0xeb9f;
const LENGTH: usize = 4;
const TYPES: usize = 8;
const NAMES: usize = 16;

/// `struct btf_type`.
const TYPE: usize = 12;

/// Bits of an entry that are the type's id; those above are the hash of its name.
const ID_BITS: u32 = 24;

/// Types by the hashes of their names.
#[derive(Debug)]
pub(super) struct Index(Vec<u64>);

impl Index {
    /// Of a whole file; None when it is not as expected.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        if file.get(..2)? != MAGIC.to_ne_bytes() {
            return None;
        }
        let head = |position: usize| Some(word(file, position)? as usize);
        let sections = head(LENGTH)?;
        let section = |at: usize| {
            let (offset, length) = (head(at)?, head(at + 4)?);
            file.get(sections.checked_add(offset)?..)?.get(..length)
        };
        let (mut types, names) = (section(TYPES)?, section(NAMES)?);
        let mut entries = Vec::with_capacity(types.len() / (2 * TYPE));
        let mut id = 0;
        while !types.is_empty() {
            // The first one is 1: 0 is `void`.
            id += 1;
            let (name, info) = (word(types, 0)? as usize, word(types, 4)?);
            if name != 0 {
                entries.push(entry(until_zero(names.get(name..)?)?, id)?);
            }
            types = types.get(TYPE + tail(info)?..)?;
        }
        entries.sort_unstable();
        Some(Self(entries))
    }

    /// Ids of types that may have this name, in their order, and of hardly any other.
    pub(super) fn find(&self, name: &str) -> impl Iterator<Item = u32> {
        let first = entry(name.as_bytes(), 0).unwrap_or_default();
        let (begin, mask) = (self.0.partition_point(|entry| *entry < first), (1 << ID_BITS) - 1);
        self.0[begin..].iter().take_while(move |entry| **entry & !mask == first).map(move |entry| (entry & mask) as u32)
    }
}

fn word(bytes: &[u8], position: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(position..)?.first_chunk()?))
}

fn until_zero(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..memchr::memchr(0, bytes)?)
}

/// None when the id takes more bits.
fn entry(name: &[u8], id: u32) -> Option<u64> {
    (id >> ID_BITS == 0).then_some(hash(name) >> ID_BITS << ID_BITS | u64::from(id))
}

/// A word at a time. What it confuses is told apart by who asks.
fn hash(name: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = name.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_ne_bytes(*word));
    words.fold(name.len() as u64, |hash, word| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR))
}

/// Bytes behind the head of a type, by its `info`: 16 bits of length, and five of kind from bit 24 on.
fn tail(info: u32) -> Option<usize> {
    let each = (info & 0xffff) as usize;
    Some(match info >> 24 & 0x1f {
        1 | 14 | 17 => 4,             // INT, VAR, DECL_TAG
        2 | 7..=12 | 16 | 18 => 0,    // PTR; FWD to FUNC; FLOAT, TYPE_TAG
        3 => 12,                      // ARRAY
        4 | 5 | 15 | 19 => 12 * each, // STRUCT, UNION, DATASEC, ENUM64
        6 | 13 => 8 * each,           // ENUM, FUNC_PROTO
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of these types: name, kind, length and tail.
    fn file(types: &[(&str, u32, u32, usize)]) -> Vec<u8> {
        let (mut section, mut names) = (Vec::new(), vec![0]);
        for (name, kind, length, tail) in types {
            let at = if name.is_empty() { 0 } else { names.len() };
            for word in [at as u32, kind << 24 | length, 0] {
                section.extend(word.to_ne_bytes());
            }
            section.extend(std::iter::repeat_n(0xff, *tail));
            names.extend(name.bytes().chain([0]));
        }
        let mut file = [MAGIC.to_ne_bytes().as_slice(), &[1, 0]].concat();
        for word in [24, 0, section.len(), section.len(), names.len()] {
            file.extend((word as u32).to_ne_bytes());
        }
        [file, section, names].concat()
    }

    #[test]
    fn names_are_found_behind_every_kind() {
        let kinds = [
            (1, 0, 4),
            (2, 0, 0),
            (3, 0, 12),
            (4, 2, 24),
            (5, 1, 12),
            (6, 3, 24),
            (7, 0, 0),
            (8, 0, 0),
            (9, 0, 0),
            (10, 0, 0),
            (11, 0, 0),
            (12, 1, 0),
            (13, 2, 16),
            (14, 0, 4),
            (15, 2, 24),
            (16, 0, 0),
            (17, 0, 4),
            (18, 0, 0),
            (19, 1, 12),
        ];
        let mut types: Vec<_> = kinds.iter().map(|(kind, length, tail)| ("", *kind, *length, *tail)).collect();
        types.extend([("sock", 4, 0, 0), ("sk", 8, 0, 0), ("sock", 12, 0, 0)]);
        let index = Index::of(&file(&types)).unwrap();
        let find = |name: &str| index.find(name).collect::<Vec<_>>();
        assert_eq!((find("sock"), find("sk"), find("s"), find("")), (vec![20, 22], vec![21], vec![], vec![]));
    }

    #[test]
    fn what_is_not_as_expected_has_no_index() {
        let good = file(&[("sock", 4, 1, 12)]);
        assert!(Index::of(&good).is_some());
        for cut in 0..good.len() {
            assert!(Index::of(&good[..cut]).is_none(), "{cut} bytes");
        }
        assert!(Index::of(&file(&[("new", 20, 0, 0)])).is_none());
        assert!(Index::of(&file(&[("cut", 4, 2, 12)])).is_none());
    }

    #[test]
    fn a_kernel_has_its_names() {
        let Ok(kernel) = std::fs::read(crate::kernel::btf::VMLINUX) else { return };
        let index = Index::of(&kernel).unwrap();
        assert!(index.find("tcp_sock").count() > 0 && index.find("no such name").count() == 0);
    }
}
