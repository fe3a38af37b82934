//! Bytes from the ring to findings. Total: any bytes give a finding or an error that is counted.

use std::net::{IpAddr, Ipv6Addr};

use observer_ebpf::{
    Attribution as AttributionCode, COMM_LEN, Endpoints, Kind, Person, RECORD_LEN, Record, Role as RoleCode, Source,
    person_flag, present, record_flag,
};
use thiserror::Error;
use zerocopy::FromBytes as _;

use crate::{
    cause::Cause,
    clock::Clock,
    event::{
        AddressType, Attribution, Body, CauseSource, Cgroup, Endpoint, Event, Finding, Host, Listener, Network,
        Process, Role, SCHEMA, Tcp, Thread, User,
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

/// Return addresses, the innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// In the process.
    pub user: Vec<u64>,
    /// In the kernel.
    pub kernel: Vec<u64>,
    /// What lay on top of the process's stack; empty when that is not known.
    pub top: Vec<u64>,
}

/// An event, and what it takes to complete it.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The event.
    pub event: Event,
    /// When it happened, ns of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Where in the code.
    pub addresses: Addresses,
}

/// What decoding needs besides the bytes.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    /// Boot time to wall time.
    pub clock: Clock,
    /// Names of reset reasons.
    pub reasons: &'a Reasons,
    /// Name of this host.
    pub host: &'a str,
}

impl Decoder<'_> {
    /// Decodes one record into the event with number `seq`. It has no message and no stack yet.
    ///
    /// # Errors
    /// When the bytes are no record of this ABI.
    pub fn decode(&self, bytes: &[u8], seq: u64) -> Result<Decoded, Malformed> {
        let (record, rest) = Record::read_from_prefix(bytes).map_err(|_| Malformed::Short(bytes.len()))?;
        let cause = Cause::of(record.cause).ok_or(Malformed::Code("cause", record.cause))?;
        let cgroup = record.process.cgroup_id;
        let mut finding = Finding {
            process: self.process(&record.process, record.attribution)?,
            owner: self.process(&record.owner, record.owner_attribution)?,
            counterpart: self.process(&record.counterpart, record.counterpart_attribution)?,
            cgroup: (cgroup != 0).then_some(Cgroup { id: cgroup, path: None }),
            network: network(&record),
            tcp: self.tcp(&record),
            listener: has(&record, present::UNACCEPTED).then_some(Listener { unaccepted: record.unaccepted }),
            ..Finding::of(cause, source(record.source)?)
        };
        if record.attribution != AttributionCode::CURRENT {
            finding.owner = None; // it is the process
        }
        finding.severity = judge::severity(&finding);
        let finding = Box::new(finding);
        let body = match record.kind {
            Kind::CLOSE => Body::Close(finding),
            Kind::RESET => Body::ResetSent(finding),
            Kind::RECEIVED => Body::ResetReceived(finding),
            other => return Err(Malformed::Code("kind", other)),
        };
        let event = Event {
            schema: SCHEMA.to_owned(),
            seq,
            time: self.clock.wall(record.time_ns),
            message: String::new(),
            host: Host { name: self.host.to_owned() },
            body,
        };
        Ok(Decoded { event, time_ns: record.time_ns, addresses: addresses(&record, rest)? })
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

    fn process(&self, person: &Person, attribution: u8) -> Result<Option<Process>, Malformed> {
        process(&self.clock, person, attribution)
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
fn reset_id(record: &Record) -> Option<String> {
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
    Some(format!("{hash:016x}"))
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
        transport: "tcp".to_owned(),
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

fn addresses(record: &Record, rest: &[u8]) -> Result<Addresses, Malformed> {
    let short = || Malformed::Short(RECORD_LEN + rest.len());
    let room = usize::try_from(record.stack_room).unwrap_or(usize::MAX);
    let user = frames(rest, record.stack_bytes).ok_or_else(short)?;
    let kernel = match record.kernel_stack_bytes {
        ..=0 => Vec::new(),
        length => rest.get(room..).and_then(|rest| frames(rest, length)).ok_or_else(short)?,
    };
    let top = match usize::try_from(record.top_bytes).unwrap_or(usize::MAX) {
        0 => Vec::new(),
        length => {
            let start = room.checked_sub(length).ok_or_else(short)?;
            rest.get(start..room).map(words).ok_or_else(short)?
        }
    };
    Ok(Addresses { user, kernel, top })
}

/// Return addresses. A stack that could not be taken is empty.
fn frames(bytes: &[u8], length: i32) -> Option<Vec<u64>> {
    let Ok(length) = usize::try_from(length) else { return Some(Vec::new()) };
    bytes.get(..length).map(words)
}

/// Words of eight bytes.
fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        u64::from_ne_bytes(bytes)
    };
    bytes.chunks_exact(8).map(word).collect()
}

/// Names of `include/net/tcp_states.h`.
fn state_name(state: u8) -> String {
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
    name.map_or_else(|| state.to_string(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests;
