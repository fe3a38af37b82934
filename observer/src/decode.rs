//! Bytes from the ring to findings. Total: any bytes give a finding or an error that is counted.

mod addresses;
mod persons;

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use observer_ebpf::{
    Attribution as AttributionCode, COMM_LEN, Endpoints, Kind, Person, Record, Role as RoleCode, Source, person_flag,
    present, record_flag,
};
use thiserror::Error;
use zerocopy::FromBytes as _;

pub use self::addresses::{Addresses, Recorded};
use self::persons::Persons;
use crate::{
    cause::Cause,
    clock::Clock,
    event::{
        AddressType, Attribution, Body, CauseSource, Cgroup, Endpoint, Event, Finding, Host, Listener, Network,
        Process, ResetId, Role, SCHEMA, Tcp, Thread, User,
    },
    judge,
    kernel::Reasons,
    procfile,
};

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than the head, or than the stack it announces.
    #[error("record of {0} bytes is too short")]
    Short(usize),
    /// A code that this version does not know.
    #[error("unknown {0} code {1}")]
    Code(&'static str, u8),
}

/// An event, and what it takes to complete it.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The event.
    pub event: Event,
    /// When it happened, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Where in the code: where that stands among the words of the batch.
    pub addresses: Addresses,
}

/// What decoding needs besides the bytes.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// Boot time to wall time.
    clock: Clock,
    /// Names of reset reasons.
    reasons: &'a Reasons,
    /// This host.
    host: Host,
    persons: Persons,
}

impl<'a> Decoder<'a> {
    /// For records of this host.
    #[must_use]
    pub fn new(clock: Clock, reasons: &'a Reasons, host: &str) -> Self {
        Self { clock, reasons, host: Host { name: host.into() }, persons: Persons::default() }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The clock that it goes by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Goes by another clock from here on.
    pub fn set_clock(&mut self, clock: Clock) {
        if clock != self.clock {
            // They tell when they started.
            (self.clock, self.persons) = (clock, Persons::default());
        }
    }

    /// Decodes one record into the event with number `seq`. It has no stack yet: what there is of one comes to `words`, at
    /// the end.
    ///
    /// # Errors
    /// When the bytes are no record of this ABI.
    pub fn decode(&mut self, bytes: &[u8], seq: u64, words: &mut Vec<u64>) -> Result<Decoded, Malformed> {
        if let Ok((record, rest)) = Record::ref_from_prefix(bytes) {
            return self.record(record, rest, seq, words);
        }
        // Short, or not where such a record may lie in memory.
        let (record, rest) = Record::read_from_prefix(bytes).map_err(|_| Malformed::Short(bytes.len()))?;
        self.record(&record, rest, seq, words)
    }

    fn record(&mut self, record: &Record, rest: &[u8], seq: u64, words: &mut Vec<u64>) -> Result<Decoded, Malformed> {
        let cause = Cause::of(record.cause).ok_or(Malformed::Code("cause", record.cause))?;
        let cgroup = record.process.cgroup_id;
        let mut finding = Finding {
            process: self.process(&record.process, record.attribution)?,
            owner: self.process(&record.owner, record.owner_attribution)?,
            counterpart: self.process(&record.counterpart, record.counterpart_attribution)?,
            cgroup: (cgroup != 0).then_some(Cgroup { id: cgroup, path: None }),
            network: network(record),
            tcp: self.tcp(record),
            listener: has(record, present::UNACCEPTED).then_some(Listener { unaccepted: record.unaccepted }),
            ..Finding::of(cause, source(record.source)?)
        };
        if record.attribution != AttributionCode::CURRENT {
            finding.owner = None; // it is the process
        }
        finding.severity = judge::severity(&finding);
        let body = match record.kind {
            Kind::CLOSE => Body::Close(finding),
            Kind::RESET => Body::ResetSent(finding),
            Kind::RECEIVED => Body::ResetReceived(finding),
            other => return Err(Malformed::Code("kind", other)),
        };
        let event = Event {
            schema: SCHEMA.into(),
            seq,
            time: self.clock.wall(record.time_ns),
            message: None,
            host: self.host.clone(),
            body,
        };
        Ok(Decoded { event, time_ns: record.time_ns, addresses: Addresses::of(record, rest, words)? })
    }

    fn tcp(&self, record: &Record) -> Tcp {
        let has = |bit: u32| has(record, bit);
        let is = |bit: u32| record.flags & bit != 0;
        Tcp {
            state: has(present::STATE).then(|| state_name(record.old_state)),
            unread_bytes: has(present::UNREAD).then_some(record.unread_bytes),
            unacked_bytes: has(present::UNACKED).then_some(record.unacked_bytes),
            unsent_bytes: has(present::UNSENT).then_some(record.unsent_bytes),
            segment_bytes: has(present::SEGMENT).then_some(record.segment_bytes),
            received_bytes: has(present::RECEIVED).then_some(record.received_bytes),
            sent_bytes: has(present::SENT).then_some(record.sent_bytes),
            srtt_us: has(present::SRTT).then_some(record.srtt_us),
            duration_ms: milliseconds(record.born_ns, record.time_ns),
            closed_ms_ago: milliseconds(record.closed_ns, record.time_ns)
                .filter(|_| record.attribution == AttributionCode::CLOSER),
            fin_received: has(present::UNREAD).then_some(is(record_flag::FIN_RECEIVED)),
            reset_sent: is(record_flag::RESET_SENT),
            reset_id: reset_id(record),
            kernel_reason: has(present::REASON).then(|| self.reasons.name(record.reason)),
            disagreement: is(record_flag::DISAGREEMENT).then_some(true),
        }
    }

    fn process(&mut self, person: &Person, attribution: u8) -> Result<Option<Arc<Process>>, Malformed> {
        if attribution == AttributionCode::NONE {
            return Ok(None);
        }
        self.persons.shared(person, attribution, || process(&self.clock, person, attribution))
    }
}

/// A person as a process; None for nobody.
///
/// # Errors
/// When the attribution is none of this ABI.
pub(crate) fn process(clock: &Clock, person: &Person, attribution: u8) -> Result<Option<Process>, Malformed> {
    let attribution = match attribution {
        AttributionCode::NONE => return Ok(None),
        AttributionCode::CURRENT => Attribution::Current,
        AttributionCode::CLOSER => Attribution::Closer,
        AttributionCode::OWNER => Attribution::Owner,
        AttributionCode::LISTENER => Attribution::Listener,
        other => return Err(Malformed::Code("attribution", other)),
    };
    Ok(Some(Process {
        comm: name(person.comm),
        thread: Thread { name: name(person.thread) },
        user: User { id: person.uid, name: None },
        start_ns: person.start_ns,
        start_time: (person.start_ns != 0).then(|| clock.wall(person.start_ns)),
        exiting: (person.flags & person_flag::EXITING != 0).then_some(true),
        ..Process::of(person.tgid, person.pid, attribution)
    }))
}

fn has(record: &Record, bits: u32) -> bool {
    record.present & bits == bits
}

/// FNV-1a over the RST as it is on the wire: its source, its destination and its sequence number.
fn reset_id(record: &Record) -> Option<ResetId> {
    let received = record.kind == Kind::RECEIVED;
    if !has(record, present::RESET_SEQ | present::ENDPOINTS)
        || !(received || record.flags & record_flag::RESET_SENT != 0)
    {
        return None;
    }
    let Endpoints { local, peer, local_port, peer_port, .. } = record.endpoints;
    let (source, destination) = ((local, local_port), (peer, peer_port));
    let ends = if received { [destination, source] } else { [source, destination] };
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for (address, port) in ends {
        address.iter().flat_map(|word| word.to_ne_bytes()).for_each(&mut mix);
        port.to_be_bytes().into_iter().for_each(&mut mix);
    }
    record.reset_seq.to_be_bytes().into_iter().for_each(&mut mix);
    Some(ResetId(hash))
}

/// Milliseconds between two times, to the microsecond; None without a start.
fn milliseconds(start_ns: u64, end_ns: u64) -> Option<f64> {
    (start_ns != 0).then(|| (end_ns.saturating_sub(start_ns) / 1_000) as f64 / 1_000.0)
}

fn source(code: u8) -> Result<CauseSource, Malformed> {
    match code {
        Source::PREDICTED => Ok(CauseSource::Predicted),
        Source::KERNEL => Ok(CauseSource::Kernel),
        Source::BOTH => Ok(CauseSource::Both),
        other => Err(Malformed::Code("source", other)),
    }
}

fn name(words: [u32; COMM_LEN / 4]) -> String {
    procfile::comm_text(&words.map(u32::to_ne_bytes).concat())
}

fn network(record: &Record) -> Option<Network> {
    if record.present & present::ENDPOINTS == 0 {
        return None;
    }
    let Endpoints { local, peer, local_port, peer_port, netns } = record.endpoints;
    let (local, peer) = (address(local), address(peer));
    Some(Network {
        kind: if peer.is_ipv4() { AddressType::Ipv4 } else { AddressType::Ipv6 },
        transport: "tcp".into(),
        role: match record.role {
            RoleCode::CLIENT => Some(Role::Client),
            RoleCode::SERVER => Some(Role::Server),
            _ => None,
        },
        local: Endpoint::of(local, local_port),
        peer: Endpoint::of(peer, peer_port),
        namespace: (netns != 0).then_some(netns),
        host_namespace: None,
    })
}

/// An address in network byte order; IPv4-mapped ones become IPv4.
pub(crate) fn address(words: [u32; 4]) -> IpAddr {
    let mut octets = [0; 16];
    for (chunk, word) in octets.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(octets).to_canonical()
}

/// Names of `include/net/tcp_states.h`.
fn state_name(state: u8) -> Cow<'static, str> {
    let names = [
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
    ];
    let name = usize::from(state).checked_sub(1).and_then(|index| names.get(index));
    name.map_or_else(|| state.to_string().into(), |name| (*name).into())
}

#[cfg(test)]
mod tests;
