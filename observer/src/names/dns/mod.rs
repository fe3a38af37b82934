//! Names by the DNS answers that this host has seen (`--dns`): queries and answers from the kernel side, matched,
//! decoded and kept.

mod answers;
mod asked;
#[cfg(test)]
pub(super) mod draft;
mod message;

use std::sync::Arc;

use observer_ebpf::{Datagram, Direction};
use zerocopy::FromBytes as _;

use self::{
    asked::{Asked, Queries},
    message::Refusal,
};
use super::ProcessId;
use crate::event::DnsCounts;

pub(super) use self::answers::{Answers, Whose};

/// What was asked and answered.
#[derive(Debug, Default)]
pub(super) struct Dns {
    queries: Queries,
    answers: Answers,
    counts: DnsCounts,
}

impl Dns {
    /// One record of the ring `DNS`. Any bytes are taken; what makes no sense is counted.
    pub(super) fn hear(&mut self, record: &[u8]) {
        let Ok((head, rest)) = Datagram::read_from_prefix(record) else {
            self.counts.malformed += 1;
            return;
        };
        let payload = usize::try_from(head.bytes).ok().and_then(|bytes| rest.get(..bytes)).unwrap_or_default();
        let Some(id) = message::id(payload) else {
            self.counts.malformed += 1;
            return;
        };
        match head.direction {
            Direction::ASKED => self.ask(&head, id, payload),
            Direction::ANSWERED => self.answer(&head, id, payload),
            _ => self.counts.malformed += 1,
        }
    }

    /// What has been heard.
    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Counters until now.
    pub(super) fn counts(&self) -> DnsCounts {
        DnsCounts { kept: self.answers.len() as u64, evicted: self.answers.evicted, ..self.counts }
    }

    fn ask(&mut self, head: &Datagram, id: u16, payload: &[u8]) {
        self.counts.queries += 1;
        let asked = Asked {
            subject: message::query(payload),
            process: ProcessId::of(head.tgid, head.start_ns),
            netns: head.netns,
            time_ns: head.time_ns,
        };
        self.queries.ask(head.socket, id, asked);
    }

    fn answer(&mut self, head: &Datagram, id: u16, payload: &[u8]) {
        self.counts.answers += 1;
        let Some(asked) = self.queries.waiting(head.socket, id, head.time_ns) else {
            self.counts.unasked += 1;
            return;
        };
        let Some(subject) = &asked.subject else { return };
        match message::answer(payload, subject) {
            Ok(found) => {
                self.counts.believed += 1;
                let name: Arc<str> = subject.name.as_str().into();
                for address in found.addresses {
                    self.answers.learn(address, &name, asked.process, asked.netns, head.time_ns, found.ttl);
                }
                self.queries.answered(head.socket, id);
            }
            // The query waits on, as it does in a resolver: another server may know better, or this was a forgery.
            Err(Refusal::Malformed) => self.counts.malformed += 1,
            Err(Refusal::Astray) => self.counts.unasked += 1,
            Err(Refusal::Truncated) => self.counts.truncated += 1,
            Err(Refusal::Failed) => self.counts.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests;
