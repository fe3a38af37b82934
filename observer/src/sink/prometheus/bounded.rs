//! Label values from names that others choose: the first so many have series of their own, all later ones share one.

use std::collections::HashSet;

/// What all others are counted under.
pub(super) const OTHER: &str = "other";

/// The names that have series of their own.
pub(super) struct Names {
    known: HashSet<String>,
    limit: usize,
}

impl Names {
    /// At most so many.
    pub(super) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), limit }
    }

    /// Another bound, for names that are new.
    pub(super) fn allow(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The label value of a name. That of something without a name is empty, which is no label to Prometheus.
    pub(super) fn label<'a>(&mut self, name: &'a str) -> &'a str {
        if name.is_empty() || self.known.contains(name) {
            return name;
        }
        if self.known.len() >= self.limit {
            return OTHER;
        }
        self.known.insert(name.to_owned());
        name
    }
}
