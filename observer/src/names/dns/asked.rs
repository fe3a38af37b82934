//! Queries that wait for their answer. An answer is believed only by the socket that has asked, under the id of its
//! query, and once.

use std::collections::{HashMap, VecDeque};

use super::message::Subject;
use crate::names::ProcessId;

/// Queries kept; then the oldest goes.
const MOST_QUERIES: usize = 8_192;

/// How long a query waits: resolvers give up after half a minute at most.
const PATIENCE_NS: u64 = 60_000_000_000;

/// A query and who has sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// What it asks; None for anything but the addresses of a host.
    pub(super) subject: Option<Subject>,
    /// The process; None when unknown.
    pub(super) process: Option<ProcessId>,
    /// Inode of its network namespace; 0 when unknown.
    pub(super) netns: u32,
    /// When, ns of CLOCK_BOOTTIME.
    pub(super) time_ns: u64,
}

/// Socket and id.
type Key = (u64, u16);

/// The queries.
#[derive(Debug, Default)]
pub(super) struct Queries {
    open: HashMap<Key, (Asked, u64)>,
    /// Keys in the order of asking, each with the number of its query: an id may be used again.
    order: VecDeque<(Key, u64)>,
    number: u64,
}

impl Queries {
    /// Remembers a query.
    pub(super) fn ask(&mut self, socket: u64, id: u16, asked: Asked) {
        self.number += 1;
        let latest = asked.time_ns;
        self.open.insert((socket, id), (asked, self.number));
        self.order.push_back(((socket, id), self.number));
        while let Some((key, number)) = self.order.front() {
            let query = self.open.get(key).filter(|(_, current)| current == number);
            // What was answered, or asked again, is out of date here.
            let stays = query.is_some_and(|(asked, _)| asked.time_ns.saturating_add(PATIENCE_NS) >= latest);
            if stays && self.order.len() <= MOST_QUERIES {
                return;
            }
            if query.is_some() {
                self.open.remove(key);
            }
            self.order.pop_front();
        }
    }

    /// The query that waits for this answer.
    pub(super) fn waiting(&self, socket: u64, id: u16, time_ns: u64) -> Option<&Asked> {
        let (asked, _) = self.open.get(&(socket, id))?;
        (asked.time_ns.saturating_add(PATIENCE_NS) >= time_ns).then_some(asked)
    }

    /// It has its answer.
    pub(super) fn answered(&mut self, socket: u64, id: u16) {
        self.open.remove(&(socket, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(time_ns: u64) -> Asked {
        Asked { subject: None, process: None, netns: 0, time_ns }
    }

    #[test]
    fn a_query_has_one_answer_at_its_socket_under_its_id() {
        let mut queries = Queries::default();
        queries.ask(1, 7, asked(10));
        assert_eq!(queries.waiting(2, 7, 11), None);
        assert_eq!(queries.waiting(1, 8, 11), None);
        assert_eq!(queries.waiting(1, 7, 11), Some(&asked(10)));
        queries.answered(1, 7);
        assert_eq!(queries.waiting(1, 7, 12), None);
    }

    #[test]
    fn a_query_that_is_repeated_counts_from_its_last_time() {
        let mut queries = Queries::default();
        queries.ask(1, 7, asked(0));
        queries.ask(1, 7, asked(PATIENCE_NS));
        queries.ask(2, 7, asked(PATIENCE_NS + 1));
        assert_eq!(queries.waiting(1, 7, 2 * PATIENCE_NS), Some(&asked(PATIENCE_NS)));
    }

    #[test]
    fn late_answers_are_none() {
        let mut queries = Queries::default();
        queries.ask(1, 7, asked(0));
        assert_eq!(queries.waiting(1, 7, PATIENCE_NS + 1), None);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut queries = Queries::default();
        for socket in 0..3 * MOST_QUERIES as u64 {
            queries.ask(socket, 1, asked(0));
            assert!(queries.open.len() <= MOST_QUERIES && queries.order.len() <= MOST_QUERIES);
        }
        assert_eq!(queries.waiting(0, 1, 0), None);
        assert!(queries.waiting(3 * MOST_QUERIES as u64 - 1, 1, 0).is_some());
        for round in 0..3 * MOST_QUERIES as u64 {
            queries.ask(1, 1, asked(round));
            assert!(queries.order.len() <= MOST_QUERIES, "one socket that asks again and again");
        }
    }

    #[test]
    fn what_nobody_answers_is_forgotten() {
        let mut queries = Queries::default();
        for socket in 0..100 {
            queries.ask(socket, 1, asked(0));
        }
        queries.ask(1_000, 1, asked(PATIENCE_NS + 1));
        assert_eq!((queries.open.len(), queries.order.len()), (1, 1));
    }
}
