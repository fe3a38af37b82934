//! One reading of a namespace, and its comparison with an earlier one. Totals and counters cannot be read in the same
//! instant, so one of them is read before and after the other: what happens meanwhile is no difference.

use super::{
    counters::{COUNTERS, Counter, Counters},
    identity,
};
use crate::event::{AuditedCounter, Relation};

/// Counters of the kernel and what our totals say they should be, each at the beginning and the end of the reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) kernel: [Counters; 2],
    pub(crate) seen: [Counters; 2],
}

/// What a number may have risen by: at least and at most.
#[derive(Clone, Copy)]
struct Range {
    low: u64,
    high: u64,
}

impl Range {
    fn between(base: [Counters; 2], now: [Counters; 2], counter: Counter) -> Self {
        let rise = |from: Counters, to: Counters| to[counter].saturating_sub(from[counter]);
        Self { low: rise(base[1], now[0]), high: rise(base[0], now[1]) }
    }
}

impl Reading {
    /// Whether anything has risen since an earlier reading, on either side.
    pub(crate) fn moved_since(&self, base: &Self) -> bool {
        self.kernel[1] != base.kernel[1] || self.seen[1] != base.seen[1]
    }

    /// Compares what both sides have risen by, counter by counter.
    pub(crate) fn judge(&self, base: &Self, every_reset: bool) -> [AuditedCounter; COUNTERS] {
        let failed = Range::between(base.kernel, self.kernel, Counter::AbortFailed).high;
        Counter::ALL.map(|counter| {
            let seen = Range::between(base.seen, self.seen, counter);
            let kernel = Range::between(base.kernel, self.kernel, counter);
            let relation = identity::relation(counter, every_reset);
            let (seen, kernel) = nearest(seen, kernel, relation);
            let mut residual = difference(kernel, seen);
            if residual > 0 && relation == Relation::AtMost {
                residual = 0;
            } else if residual > 0 && identity::counts_failures(counter) {
                residual = residual.saturating_sub_unsigned(failed).max(0);
            }
            AuditedCounter { counter: counter.name().to_owned(), seen, kernel, residual, relation }
        })
    }
}

/// The pair of values that disagrees least with the relation.
fn nearest(seen: Range, kernel: Range, relation: Relation) -> (u64, u64) {
    if kernel.high < seen.low {
        (seen.low, kernel.high)
    } else if relation == Relation::AtMost {
        (seen.low, kernel.low.max(seen.low))
    } else if kernel.low > seen.high {
        (seen.high, kernel.low)
    } else {
        let both = kernel.low.max(seen.low);
        (both, both)
    }
}

fn difference(kernel: u64, seen: u64) -> i64 {
    let magnitude = i64::try_from(kernel.abs_diff(seen)).unwrap_or(i64::MAX);
    if kernel < seen { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(close: u64, timeout: u64, failed: u64, resets: u64) -> Counters {
        Counters([close, 0, 0, 0, timeout, failed, resets])
    }

    fn instant(kernel: Counters, seen: Counters) -> Reading {
        Reading { kernel: [kernel; 2], seen: [seen; 2] }
    }

    fn residuals(now: Reading, base: Reading) -> [i64; COUNTERS] {
        now.judge(&base, true).map(|one| one.residual)
    }

    #[test]
    fn equal_rises_leave_nothing() {
        let base = instant(counters(100, 3, 1, 500), Counters::default());
        let now = instant(counters(142, 3, 1, 550), counters(42, 0, 0, 50));
        assert!(now.moved_since(&base));
        let judged = now.judge(&base, true);
        assert_eq!((judged[0].seen, judged[0].kernel, judged[0].residual), (42, 42, 0));
        assert_eq!(judged[0].relation, Relation::Equal);
        assert_eq!((judged[6].seen, judged[6].kernel, judged[6].residual), (50, 50, 0));
    }

    #[test]
    fn a_difference_has_a_sign() {
        let base = instant(counters(100, 0, 0, 500), Counters::default());
        let now = instant(counters(142, 0, 0, 542), counters(41, 0, 0, 43));
        assert_eq!(residuals(now, base), [1, 0, 0, 0, 0, 0, -1]);
        let judged = now.judge(&base, true);
        assert_eq!((judged[0].seen, judged[0].kernel), (41, 42));
    }

    #[test]
    fn what_happens_during_a_reading_is_no_difference() {
        let base = Reading { kernel: [counters(100, 0, 0, 0), counters(103, 0, 0, 0)], seen: [Counters::default(); 2] };
        let now = |early, kernel, late| Reading {
            kernel: [counters(kernel, 0, 0, 0); 2],
            seen: [counters(early, 0, 0, 0), counters(late, 0, 0, 0)],
        };
        assert_eq!(residuals(now(10, 112, 14), base)[0], 0);
        assert_eq!(residuals(now(10, 117, 14), base)[0], 0);
        assert_eq!(residuals(now(10, 118, 14), base)[0], 1, "the kernel counted 15 at least, of which 14 were seen");
        assert_eq!(residuals(now(10, 109, 14), base)[0], -1, "the kernel counted 9 at most, and 10 were seen");
        let last =
            Reading { kernel: [counters(110, 0, 0, 0), counters(112, 0, 0, 0)], seen: [counters(9, 0, 0, 0); 2] };
        assert_eq!(residuals(last, base)[0], 0);
    }

    #[test]
    fn at_most_allows_the_kernel_more_but_never_less() {
        let base = Reading::default();
        let judged = instant(counters(0, 9, 0, 20), counters(0, 4, 0, 15)).judge(&base, false);
        assert_eq!((judged[4].seen, judged[4].kernel, judged[4].residual), (4, 9, 0));
        assert_eq!((judged[6].residual, judged[6].relation), (0, Relation::AtMost));
        let judged = instant(counters(0, 3, 0, 14), counters(0, 4, 0, 15)).judge(&base, false);
        assert_eq!((judged[4].residual, judged[6].residual), (-1, -1));
    }

    #[test]
    fn resets_that_could_not_be_made_are_allowed_for() {
        let base = Reading::default();
        let now = instant(counters(10, 0, 2, 30), counters(8, 0, 0, 28));
        assert_eq!(residuals(now, base), [0; COUNTERS]);
        let now = instant(counters(11, 0, 2, 28), counters(8, 0, 0, 29));
        assert_eq!(residuals(now, base), [1, 0, 0, 0, 0, 0, -1], "they excuse no more than there were");
    }
}
