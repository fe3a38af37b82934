//! A bounded map of what was used of late: when its younger half is full, the older half is forgotten. Every step takes
//! constant time.

use std::{collections::HashMap, hash::Hash};

/// The map. Each entry has a weight, and those kept weigh at most the capacity together (and one entry that is heavier
/// than half of it).
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    /// Of the younger half.
    weight: usize,
    /// Of the older one.
    old_weight: usize,
    half: usize,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    /// An empty map.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), weight: 0, old_weight: 0, half: (capacity / 2).max(1) }
    }

    /// The value, which counts as used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some((value, weight)) = self.take_old(key) {
            self.put(key.clone(), value, weight);
        }
        self.young.get_mut(key).map(|(value, _)| value)
    }

    /// Keeps a value of weight 1.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.insert_weighing(key, value, 1);
    }

    /// Keeps a value.
    pub(crate) fn insert_weighing(&mut self, key: K, value: V, weight: usize) {
        self.take_old(&key);
        self.put(key, value, weight);
    }

    /// What all entries weigh.
    pub(crate) fn weight(&self) -> usize {
        self.weight + self.old_weight
    }

    fn take_old(&mut self, key: &K) -> Option<(V, usize)> {
        // Most maps never fill a half.
        if self.old.is_empty() {
            return None;
        }
        let (value, weight) = self.old.remove(key)?;
        self.old_weight -= weight;
        Some((value, weight))
    }

    fn put(&mut self, key: K, value: V, weight: usize) {
        if let Some((_, replaced)) = self.young.remove(&key) {
            self.weight -= replaced;
        }
        if self.weight + weight > self.half && !self.young.is_empty() {
            self.old = std::mem::take(&mut self.young);
            self.old_weight = std::mem::take(&mut self.weight);
        }
        self.young.insert(key, (value, weight));
        self.weight += weight;
    }

    /// Entries kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut map = Recent::new(8);
        map.insert(0, "used");
        for key in 1..1_000 {
            map.insert(key, "once");
            assert_eq!(map.get(&0).copied(), Some("used"), "after {key}");
            assert!(map.len() <= 8);
            assert_eq!(map.weight(), map.len());
        }
        assert!(map.get(&1).is_none());
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let mut map = Recent::new(8);
        for value in 0..100 {
            map.insert(1, value);
        }
        assert_eq!(map.get(&1).copied(), Some(99));
        assert_eq!(map.len(), 1, "and nothing was pushed out for it");
    }

    #[test]
    fn heavy_entries_push_out_the_others() {
        let mut map = Recent::new(100);
        map.insert_weighing(1, (), 40);
        map.insert_weighing(2, (), 40);
        map.insert_weighing(3, (), 40);
        assert!(map.get(&1).is_none(), "1 was in the half that had to go");
        assert!(map.get(&3).is_some());
        map.insert_weighing(4, (), 1_000);
        assert!(map.get(&4).is_some(), "one may be as heavy as it wants");
    }
}
