//! DNS messages (RFC 1035 §4): what a query asks, and which addresses an answer gives to the name that was asked.
//! The only file that knows `domain`, whose names never point forwards and whose sections are read one record at a
//! time, without memory of their own.

use std::net::IpAddr;

use domain::{
    base::{
        Message, ParsedName, Question,
        iana::{Class, Opcode, Rcode, Rtype},
    },
    rdata::{A, Aaaa, Cname},
};

use crate::names::hostname::{hostname, is_label};

/// Aliases that are followed, as resolvers do.
const MOST_ALIASES: usize = 16;

/// A name inside of a message.
type Name<'a> = ParsedName<&'a [u8]>;

/// A name whose addresses are asked for, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// Host name in lower case: resolvers mix cases to tell their own answers.
    pub(super) name: String,
    /// Whether IPv6 addresses are wanted.
    pub(super) ipv6: bool,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It cannot be read to the end of its answers, or goes round in circles.
    Malformed,
    /// It is no answer, or answers another question.
    Astray,
    /// The server had more to say: the resolver will ask again, over TCP.
    Truncated,
    /// An error: there is no such name, or no service.
    Failed,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Addresses of the name that was asked; there may be none.
    pub(super) addresses: Vec<IpAddr>,
    /// Seconds that all of it may be believed.
    pub(super) ttl: u32,
}

/// The id of a message, by which an answer finds its query; None for what is no message.
pub(super) fn id(bytes: &[u8]) -> Option<u16> {
    Some(Message::from_slice(bytes).ok()?.header().id())
}

/// What a query asks for, when that is the addresses of a host. Its end may be missing.
pub(super) fn query(bytes: &[u8]) -> Option<Subject> {
    let message = Message::from_slice(bytes).ok()?;
    let header = message.header();
    if header.qr() || header.opcode() != Opcode::QUERY {
        return None;
    }
    subject(&sole_question(message)?)
}

/// Addresses of the subject. Only what the answer section says of it, or of what it is an alias of, is believed.
pub(super) fn answer(bytes: &[u8], subject: &Subject) -> Result<Found, Refusal> {
    let message = Message::from_slice(bytes).map_err(|_| Refusal::Malformed)?;
    let header = message.header();
    if !header.qr() || header.opcode() != Opcode::QUERY {
        return Err(Refusal::Astray);
    }
    let question = sole_question(message).ok_or(Refusal::Astray)?;
    if self::subject(&question).as_ref() != Some(subject) {
        return Err(Refusal::Astray);
    }
    if header.tc() {
        return Err(Refusal::Truncated);
    }
    if header.rcode() != Rcode::NOERROR {
        return Err(Refusal::Failed);
    }
    let section = Section::read(message).ok_or(Refusal::Malformed)?;
    section.addresses(*question.qname(), subject.ipv6).ok_or(Refusal::Malformed)
}

/// The question, unless there are none or several: that is in no use.
fn sole_question(message: &Message<[u8]>) -> Option<Question<Name<'_>>> {
    let mut section = message.question();
    let question = section.next()?.ok()?;
    (message.header_counts().qdcount() == 1).then_some(question)
}

fn subject(question: &Question<Name<'_>>) -> Option<Subject> {
    let ipv6 = match question.qtype() {
        Rtype::A => false,
        Rtype::AAAA => true,
        _ => return None,
    };
    let name = (question.qclass() == Class::IN).then(|| text(question.qname()))??;
    Some(Subject { name, ipv6 })
}

/// A name as a host name. Dots inside a label, and what else may not stand in one, make it none.
fn text(name: &Name<'_>) -> Option<String> {
    let mut text = String::new();
    for label in name.iter().filter(|label| !label.is_root()) {
        if !is_label(label.as_ref()) {
            return None;
        }
        text.push_str(std::str::from_utf8(label.as_ref()).ok()?);
        text.push('.');
    }
    hostname(&text)
}

/// The records of an answer section that matter here.
#[derive(Default)]
struct Section<'a> {
    /// Owner, what it is an alias of, seconds.
    aliases: Vec<(Name<'a>, Name<'a>, u32)>,
    /// Owner, address, seconds.
    addresses: Vec<(Name<'a>, IpAddr, u32)>,
}

impl<'a> Section<'a> {
    /// Reads the whole section; None when it is malformed.
    fn read(message: &'a Message<[u8]>) -> Option<Self> {
        let mut read = Self::default();
        for record in message.answer().ok()? {
            let record = record.ok()?;
            if record.class() != Class::IN {
                continue;
            }
            let ttl = record.ttl().as_secs();
            let owner = record.owner().deref_octets();
            match record.rtype() {
                Rtype::A => {
                    let address = record.to_record::<A>().ok()??.into_data().addr();
                    read.addresses.push((owner, address.into(), ttl));
                }
                Rtype::AAAA => {
                    let address = record.to_record::<Aaaa>().ok()??.into_data().addr();
                    read.addresses.push((owner, address.into(), ttl));
                }
                Rtype::CNAME => {
                    let alias = record.to_record::<Cname<Name<'_>>>().ok()??.into_data();
                    read.aliases.push((owner, alias.into_cname(), ttl));
                }
                _ => {}
            }
        }
        Some(read)
    }

    /// The addresses of a name, its aliases followed; None when they lead nowhere.
    fn addresses(&self, asked: Name<'a>, ipv6: bool) -> Option<Found> {
        let (mut name, mut ttl) = (asked, u32::MAX);
        let mut left = MOST_ALIASES;
        while let Some((_, target, seconds)) = self.aliases.iter().find(|(owner, ..)| *owner == name) {
            left = left.checked_sub(1)?;
            (name, ttl) = (*target, ttl.min(*seconds));
        }
        let mut addresses = Vec::new();
        for (_, address, seconds) in self.addresses.iter().filter(|(owner, ..)| *owner == name) {
            // No connection goes to the address that is none, with which unwanted names are answered.
            if address.is_ipv6() == ipv6 && !address.is_unspecified() {
                addresses.push(address.to_canonical());
                ttl = ttl.min(*seconds);
            }
        }
        Some(Found { addresses, ttl })
    }
}

#[cfg(test)]
mod tests;
