//! A small authoritative name server in a private network namespace. It answers over UDP what its zone says,
//! and may be told to send something else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crate::deadline::DEADLINE;

const PORT: u16 = 53;

/// The id of every query that is put together here.
const ID: u16 = 7;

/// Types of records (RFC 1035 §3.2.2, RFC 3596).
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;

/// Seconds that every answer is good for.
const TTL: u32 = 300;

/// What a name has.
#[derive(Clone, Copy, Debug)]
pub enum Has {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// Another name, of which it is an alias.
    Alias(&'static str),
    /// As the name of an address in reverse: a host.
    Host(&'static str),
}

/// Names and what they have.
pub type Zone = &'static [(&'static str, Has)];

/// What to send instead of an answer, from the query and the answer that it should have: any datagrams.
pub type Forge = Box<dyn FnMut(&[u8], Vec<u8>) -> Vec<Vec<u8>> + Send>;

/// A running server. It ends with this.
pub struct NameServer {
    socket: UdpSocket,
    ends: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Serves a zone at an address of the calling thread's namespace.
    pub fn start(address: impl Into<IpAddr>, zone: Zone) -> Self {
        Self::forging(address, zone, Box::new(|_, answer| vec![answer]))
    }

    /// The same at another port, to which address translation leads.
    pub fn at(address: SocketAddr, zone: Zone) -> Self {
        Self::serving(address, zone, Box::new(|_, answer| vec![answer]))
    }

    /// The same at port 53, but each answer goes through `forge`.
    pub fn forging(address: impl Into<IpAddr>, zone: Zone, forge: Forge) -> Self {
        Self::serving(SocketAddr::new(address.into(), PORT), zone, forge)
    }

    fn serving(address: SocketAddr, zone: Zone, mut forge: Forge) -> Self {
        let socket = UdpSocket::bind(address).expect("a port of a namespace of our own");
        let served = socket.try_clone().expect("a copy");
        let (ends, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ending, counter) = (Arc::clone(&ends), Arc::clone(&asked));
        let serve = move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = served.recv_from(&mut query) {
                if ending.load(Ordering::Relaxed) {
                    return;
                }
                let query = &query[..length];
                counter.fetch_add(1, Ordering::Relaxed);
                for datagram in forge(query, answer(query, zone)) {
                    served.send_to(&datagram, from).expect("an answer leaves");
                }
            }
        };
        let thread = Some(thread::Builder::new().name("name-server".into()).spawn(serve).expect("a thread"));
        Self { socket, ends, asked, thread }
    }

    /// Queries so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // By its own socket, which is in its own namespace, wherever this thread may be.
        let address = self.socket.local_addr().expect("an address");
        self.socket.send_to(&[0], address).expect("a last datagram");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks for addresses through a socket that is not connected, as some resolvers do, and waits for the answer.
pub fn ask(server: IpAddr, name: &str) {
    let socket = unconnected(server);
    socket.send_to(&query(ID, name, false), (server, PORT)).expect("a query leaves");
    socket.recv_from(&mut [0; 512]).expect("an answer");
}

/// The same through a socket that is connected.
pub fn ask_by(socket: &UdpSocket, name: &str) {
    socket.send(&query(ID, name, false)).expect("a query leaves");
    socket.recv(&mut [0; 512]).expect("an answer");
}

/// A socket that is connected to a name server.
pub fn connected(server: IpAddr) -> UdpSocket {
    let socket = unconnected(server);
    socket.connect((server, PORT)).expect("connect");
    socket
}

/// A socket of the kind that reaches a name server.
fn unconnected(server: IpAddr) -> UdpSocket {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).expect("a socket");
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    socket
}

/// A query for one kind of addresses, as a resolver would send it.
pub fn query(id: u16, name: &str, ipv6: bool) -> Vec<u8> {
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    bytes.extend(labels(name));
    bytes.extend([0, if ipv6 { 28 } else { 1 }, 0, 1]);
    bytes
}

/// An answer with one address record, to whatever question.
pub fn response(id: u16, question: &str, owner: &str, address: Ipv4Addr) -> Vec<u8> {
    let mut bytes = query(id, question, false);
    bytes[2] = 0x85;
    bytes[7] = 1;
    bytes.extend(record(&labels(owner), A, &address.octets()));
    bytes
}

/// What the zone says.
fn answer(query: &[u8], zone: Zone) -> Vec<u8> {
    let (mut name, end) = question(query);
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let mut records: Vec<Vec<u8>> = Vec::new();
    let known = |name: &str| zone.iter().any(|(owner, _)| owner.eq_ignore_ascii_case(name));
    let exists = known(&name);
    while let Some((owner, Has::Alias(target))) = find(zone, &name, |has| matches!(has, Has::Alias(_))) {
        records.push(record(&labels(owner), CNAME, &labels(target)));
        name = (*target).to_owned();
    }
    for (owner, has) in zone.iter().filter(|(owner, _)| owner.eq_ignore_ascii_case(&name)) {
        match (kind, has) {
            (A, Has::V4(address)) => records.push(record(&labels(owner), A, &address.octets())),
            (AAAA, Has::V6(address)) => records.push(record(&labels(owner), AAAA, &address.octets())),
            (PTR, Has::Host(host)) => records.push(record(&labels(owner), PTR, &labels(host))),
            _ => {}
        }
    }
    let mut bytes = query[..end + 4].to_vec();
    // An authoritative answer; recursion is neither wanted nor offered.
    (bytes[2], bytes[3]) = (0x85, if exists { 0x80 } else { 0x83 });
    bytes[4..12].copy_from_slice(&[0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(records.concat());
    bytes
}

fn find<'a>(zone: Zone, name: &str, wanted: impl Fn(&Has) -> bool) -> Option<&'a (&'static str, Has)>
where
    'static: 'a,
{
    zone.iter().find(|(owner, has)| owner.eq_ignore_ascii_case(name) && wanted(has))
}

/// The name that is asked, and where it ends.
fn question(query: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut place = 12;
    while query[place] != 0 {
        let length = usize::from(query[place]);
        labels.push(String::from_utf8_lossy(&query[place + 1..][..length]).into_owned());
        place += 1 + length;
    }
    (labels.join("."), place + 1)
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &kind.to_be_bytes(), &[0, 1], &TTL.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
