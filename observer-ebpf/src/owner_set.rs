//! Where owners of connections are kept: a table of sets, each with room for [`WAYS`] connections whose hashes lead there.
//!
//! The kernel's own LRU map would do as well, but finding an element to evict was most of what a clean connection cost.
//! Here a new connection takes the place that can be spared best in its set: an empty one, else that of the connection
//! that has been closed longest, else that of the oldest one. Connections that live long are not driven out by many short ones.
//!
//! Nobody locks a set. A place is taken back, filled and given its tag, in this order; what two writers have made of a place
//! together is told from what one of them has by [`OwnerSlot::check`], and counts as nothing.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::note::{Endpoints, Person};

/// Connections of a set.
pub const WAYS: usize = 8;

/// Who holds or held a connection, for what happens to it in a softirq. Kept in an [`OwnerSet`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct Owner {
    /// Who.
    pub who: Person,
    /// When that process closed its end, ns of CLOCK_BOOTTIME; 0 while it has not.
    pub closed_ns: u64,
    /// When the connection was established, likewise; 0 when not seen.
    pub born_ns: u64,
    /// `tcp_sock.data_segs_in` when the FIN was sent.
    pub segments: u32,
    /// [`crate::Role`].
    pub role: u32,
    /// [`owner_flag`] bits.
    pub flags: u32,
    /// Keeps the size a multiple of eight.
    pub padding: u32,
}

/// Bits of [`Owner::flags`].
pub mod owner_flag {
    /// The connection ended with a RST, which was told.
    pub const RESET: u32 = 1;
    /// A RST to a segment that came too late was told.
    pub const TOLD: u32 = 1 << 1;
    /// Segments waited for the socket's lock when the FIN was sent.
    pub const BACKLOG: u32 = 1 << 2;
}

/// A place of a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct OwnerSlot {
    /// The connection.
    pub ends: Endpoints,
    /// [`check`] of the connection and the process.
    pub check: u64,
    /// Its owner.
    pub owner: Owner,
}

/// A set. Zeros are an empty one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct OwnerSet {
    /// [`tag`] of the connection in each place; 0 where there is none.
    pub tags: [u32; WAYS],
    /// [`age`] of each; the lowest is spared best. 0 where there is none.
    pub ages: [u32; WAYS],
    /// The places.
    pub slots: [OwnerSlot; WAYS],
}

const _: () = assert!(size_of::<Owner>() == 96 && size_of::<OwnerSlot>() == 144 && size_of::<OwnerSet>() == 1_216);

/// The words of a connection.
#[inline(always)]
fn words_of(ends: &Endpoints) -> [u64; 5] {
    let pair = |high: u32, low: u32| (high as u64) << 32 | low as u64;
    [
        pair(ends.local[0], ends.local[1]),
        pair(ends.local[2], ends.local[3]),
        pair(ends.peer[0], ends.peer[1]),
        pair(ends.peer[2], ends.peer[3]),
        pair(ends.netns, (ends.local_port as u32) << 16 | ends.peer_port as u32),
    ]
}

/// Hash of a connection; the seed is one observer's, so that nobody knows which connections meet in a set. The lower half
/// is for the number of the set, the upper half for the [`tag`].
#[inline(always)]
#[must_use]
pub fn hash(ends: &Endpoints, seed: u32) -> u64 {
    // A product carries what differs upwards only, and the shift brings it down again: so the ports, which differ most, stand
    // in the lower half of the last word. The multiplier is that of Knuth's MMIX generator, whose bits are well mixed.
    const FACTOR: u64 = 6_364_136_223_846_793_005;
    let mut hash = seed as u64 | 1 << 32;
    for word in words_of(ends) {
        hash = (hash ^ word).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    hash
}

/// What tells connections of a set apart, usually; never 0.
#[inline(always)]
#[must_use]
pub fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}

/// What only one writer makes of a connection and a process: neither half of it comes from another.
#[inline(always)]
#[must_use]
pub fn check(ends: &Endpoints, who: &Person) -> u64 {
    let pair = |high: u32, low: u32| (high as u64) << 32 | low as u64;
    let [first, second, third, fourth, fifth] = words_of(ends);
    let ends = first ^ second ^ third ^ fourth ^ fifth;
    let names = pair(who.comm[0], who.comm[1])
        ^ pair(who.comm[2], who.comm[3]).rotate_left(1)
        ^ pair(who.thread[0], who.thread[1]).rotate_left(2)
        ^ pair(who.thread[2], who.thread[3]).rotate_left(3);
    // Zeros are nobody's.
    !(ends ^ names ^ who.cgroup_id ^ who.start_ns ^ pair(who.tgid, who.pid) ^ pair(who.uid, who.flags))
}

/// How long a connection should be kept, compared with others: open ones before closed ones, younger ones before older ones.
/// From ns of CLOCK_BOOTTIME, in steps of 67 ms; never 0.
#[inline(always)]
#[must_use]
pub fn age(now_ns: u64, open: bool) -> u32 {
    const TIME: u32 = (1 << 31) - 1;
    (now_ns >> 26) as u32 & TIME | 1 | (open as u32) << 31
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use zerocopy::FromZeros as _;

    use super::*;

    fn ends(port: u16) -> Endpoints {
        let local = [0, 0, 0xffff_u32.to_be(), 0x0100_007f];
        Endpoints { local, peer: local, local_port: port, peer_port: 80, netns: 4_026_531_840 }
    }

    #[test]
    fn connections_are_spread_over_the_sets() {
        const SETS: usize = 4_096;
        for seed in [0, 1, 77] {
            let mut counts = vec![0_u32; SETS];
            for port in 1_024..1_024 + SETS as u16 * 4 {
                counts[hash(&ends(port), seed) as usize % SETS] += 1;
            }
            // Four on average, Poisson: more than eight in two sets of a hundred.
            let full = counts.iter().filter(|count| **count > WAYS as u32).count();
            assert!(full < SETS / 25, "{full} of {SETS} with seed {seed}");
        }
        assert_ne!(hash(&ends(1), 1), hash(&ends(1), 2));
    }

    #[test]
    fn each_field_makes_another_hash_and_another_check() {
        let nobody = Person::NOBODY;
        let known = ends(5);
        let mut others = [known; 5];
        others[0].local[3] ^= 1;
        others[1].peer[0] ^= 1;
        others[2].local_port ^= 1;
        others[3].peer_port ^= 1;
        others[4].netns ^= 1;
        for other in others {
            assert_ne!((hash(&other, 7), check(&other, &nobody)), (hash(&known, 7), check(&known, &nobody)));
            assert_ne!(hash(&other, 7), hash(&known, 7), "{other:?}");
            assert_ne!(check(&other, &nobody), check(&known, &nobody), "{other:?}");
        }
    }

    #[test]
    fn half_of_one_and_half_of_another_is_neither() {
        let one = Person { start_ns: 1 << 40, tgid: 7, pid: 8, uid: 9, comm: [1; 4], thread: [2; 4], ..Person::NOBODY };
        let other = Person { start_ns: 3 << 38, tgid: 70, pid: 81, uid: 0, comm: [5; 4], thread: [6; 4], ..one };
        let checks = [check(&ends(1), &one), check(&ends(2), &other)];
        let mixed = [
            check(&ends(1), &other),
            check(&ends(2), &one),
            check(&ends(1), &Person { comm: other.comm, thread: other.thread, ..one }),
            check(&ends(1), &Person { thread: other.thread, ..one }),
            check(&ends(2), &Person { comm: one.comm, thread: one.thread, ..other }),
            check(&ends(2), &Person { start_ns: one.start_ns, ..other }),
            check(&ends(2), &Person { start_ns: one.start_ns, tgid: one.tgid, pid: one.pid, ..other }),
        ];
        assert!(mixed.iter().all(|mixed| !checks.contains(mixed)), "{checks:?} {mixed:?}");
    }

    #[test]
    fn what_is_closed_goes_before_what_is_open_and_the_older_before_the_younger() {
        const SECOND: u64 = 1_000_000_000;
        let order = [age(0, false), age(SECOND, false), age(0, true), age(SECOND, true)];
        assert!(order.is_sorted() && order[0] > 0, "{order:?}");
        assert!(order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
    }

    #[test]
    fn an_empty_place_is_nobodys() {
        let slot = OwnerSet::new_zeroed().slots[0];
        assert_ne!(slot.check, check(&slot.ends, &slot.owner.who));
        assert_ne!(tag(hash(&slot.ends, 0)), 0);
    }
}
