//! Where people are kept that connections refer to: a table of sets by what they are, so that each is there once, whatever the
//! number of his connections. An entry of a connection is half a line of the processor's cache that way.
//!
//! Nobody locks a set. A reference names a place and has a [`person_tag`] of who was there; whoever follows it looks whether that is
//! what the place holds, for it may have been given to somebody else, or be half written.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::note::Person;

/// People of a set.
pub const PERSON_WAYS: usize = 4;

/// A set. Zeros are an empty one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct PersonSet {
    /// [`person_tag`] of who is in each place; 0 where nobody is.
    pub tags: [u32; PERSON_WAYS],
    /// Keeps the places on lines of their own.
    pub padding: [u32; 12],
    /// The places.
    pub people: [Person; PERSON_WAYS],
}

const _: () = assert!(size_of::<PersonSet>() == 320);

/// Somebody in the table of people.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct PersonRef {
    /// His place, counted through all sets.
    pub place: u32,
    /// His tag; 0 for nobody.
    pub tag: u32,
}

impl PersonRef {
    /// Nobody.
    pub const NOBODY: Self = Self { place: 0, tag: 0 };

    /// As one number.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u64 {
        (self.tag as u64) << 32 | self.place as u64
    }

    /// From one number.
    #[inline(always)]
    #[must_use]
    pub const fn of(number: u64) -> Self {
        Self { place: number as u32, tag: (number >> 32) as u32 }
    }
}

/// Hash of a person. The lower half is for the number of the set, the upper half for the tag.
#[inline(always)]
#[must_use]
pub fn person_hash(who: &Person, seed: u32) -> u64 {
    let pair = |high: u32, low: u32| (high as u64) << 32 | low as u64;
    let words = [
        who.cgroup_id,
        who.start_ns,
        pair(who.uid, who.flags),
        pair(who.comm[0], who.comm[1]),
        pair(who.comm[2], who.comm[3]),
        pair(who.thread[0], who.thread[1]),
        pair(who.thread[2], who.thread[3]),
        pair(who.tgid, who.pid), // what differs most, last: see `crate::hash`
    ];
    crate::owner_set::mix(&words, seed)
}

/// What tells people of a set apart, usually; never 0.
#[inline(always)]
#[must_use]
pub fn person_tag(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_makes_another_hash() {
        let one = Person { start_ns: 1 << 40, tgid: 7, pid: 8, uid: 9, comm: [1; 4], thread: [2; 4], ..Person::NOBODY };
        let others = [
            Person { start_ns: one.start_ns + 1, ..one },
            Person { cgroup_id: 1, ..one },
            Person { tgid: 8, ..one },
            Person { pid: 7, ..one },
            Person { uid: 0, ..one },
            Person { flags: 1, ..one },
            Person { comm: [1, 1, 1, 2], ..one },
            Person { thread: [3, 2, 2, 2], ..one },
        ];
        for other in others {
            let (hash, known) = (person_hash(&other, 5), person_hash(&one, 5));
            assert_ne!((person_tag(hash), hash as u32), (person_tag(known), known as u32), "{other:?}");
        }
        assert_ne!(person_hash(&one, 5), person_hash(&one, 6));
    }

    #[test]
    fn a_reference_is_a_number() {
        let one = PersonRef { place: 5, tag: 0x8000_0001 };
        assert_eq!(PersonRef::of(one.number()), one);
        assert_eq!(PersonRef::of(0), PersonRef::NOBODY);
    }
}
