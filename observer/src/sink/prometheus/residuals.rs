//! What audits find, as a counter. An audit tells its residual again each time, from its beginning on; counted is what
//! goes beyond the highest one told before.

use std::collections::BTreeMap;

use crate::event::{Audit, AuditedCounter};

/// Namespaces with a residual that are remembered. There should be none.
const NAMESPACES: usize = 1_024;

/// The highest residuals so far.
#[derive(Default)]
pub(super) struct Residuals(BTreeMap<u32, Seen>);

#[derive(Default)]
struct Seen {
    interval_ms: u64,
    highest: BTreeMap<String, u64>,
}

impl Residuals {
    /// What is new in an audit, by counter.
    pub(super) fn news<'a>(&mut self, audit: &'a Audit) -> Vec<(&'a str, u64)> {
        let residual = |one: &AuditedCounter| one.residual.unsigned_abs();
        if audit.counters.iter().all(|one| residual(one) == 0) && !self.0.contains_key(&audit.namespace) {
            return Vec::new();
        }
        let seen = self.0.entry(audit.namespace).or_default();
        if audit.interval_ms < seen.interval_ms {
            // It was begun anew.
            seen.highest.clear();
        }
        seen.interval_ms = audit.interval_ms;
        let mut news = Vec::new();
        for one in &audit.counters {
            let highest = seen.highest.entry(one.counter.clone()).or_default();
            if residual(one) > *highest {
                news.push((one.counter.as_str(), residual(one) - *highest));
                *highest = residual(one);
            }
        }
        if self.0.len() > NAMESPACES {
            self.0.pop_first();
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Relation;

    fn audit(namespace: u32, interval_ms: u64, residual: i64) -> Audit {
        let counter =
            AuditedCounter { counter: "OutRsts".to_owned(), seen: 0, kernel: 0, residual, relation: Relation::Equal };
        Audit {
            namespace,
            interval_ms,
            unreadable: false,
            missed: 0,
            overflow: 0,
            disagreements: 0,
            unknown_owners: 0,
            counters: vec![counter],
            residual: Some(residual.unsigned_abs()),
        }
    }

    #[test]
    fn a_residual_that_is_told_again_counts_once() {
        let mut residuals = Residuals::default();
        let mut news = |interval_ms, residual| {
            residuals.news(&audit(7, interval_ms, residual)).first().map(|(name, count)| ((*name).to_owned(), *count))
        };
        let new = |count| Some(("OutRsts".to_owned(), count));
        assert_eq!(news(1_000, 0), None);
        assert_eq!(news(2_000, 3), new(3));
        assert_eq!(news(3_000, 3), None);
        assert_eq!(news(4_000, -5), new(2));
        assert_eq!(news(5_000, 3), None, "it has been counted");
        assert_eq!(news(1_000, 1), new(1), "the audit began anew");
    }

    #[test]
    fn namespaces_are_told_apart_and_memory_is_bounded() {
        let mut residuals = Residuals::default();
        for namespace in 0..2 * NAMESPACES as u32 {
            assert_eq!(residuals.news(&audit(namespace, 1, 1)), [("OutRsts", 1)]);
        }
        assert_eq!(residuals.0.len(), NAMESPACES);
        assert_eq!(residuals.news(&audit(0, 1, 0)), []);
        assert_eq!(residuals.0.len(), NAMESPACES, "nothing to remember");
    }
}
