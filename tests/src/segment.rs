//! A TCP segment in an IPv4 packet, written and read byte by byte.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The sender has no more data.
pub const FIN: u8 = 0x01;
/// A handshake.
pub const SYN: u8 = 0x02;
/// The end, at once.
pub const RST: u8 = 0x04;
/// The acknowledgement number counts.
pub const ACK: u8 = 0x10;

/// Largest segment that a SYN of ours allows: a round number, so that sizes in tests stay readable.
pub const MSS: u16 = 1000;

const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
const TCP: u8 = 6;

/// One segment; its header has no options but the MSS of a SYN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source.
    pub from: SocketAddrV4,
    /// Destination.
    pub to: SocketAddrV4,
    /// [`FIN`] and its like; PSH and others are kept when read.
    pub flags: u8,
    /// Sequence number of the first byte (or of the SYN or FIN).
    pub seq: u32,
    /// Next byte expected from the other end.
    pub ack: u32,
    /// Receive window, unscaled.
    pub window: u16,
    /// Data.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Whether all of `flags` are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The sequence number behind it: SYN and FIN take one each.
    pub fn end(&self) -> u32 {
        let marks = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.seq.wrapping_add(self.payload.len() as u32).wrapping_add(marks)
    }

    /// The whole packet with its checksums.
    pub fn encode(&self) -> Vec<u8> {
        let options: Vec<u8> = if self.has(SYN) { [&[2, 4][..], &MSS.to_be_bytes()].concat() } else { Vec::new() };
        let offset = ((TCP_HEADER + options.len()) / 4) as u8;
        let (from, to) = (self.from.ip().octets(), self.to.ip().octets());
        let mut tcp = [&self.from.port().to_be_bytes()[..], &self.to.port().to_be_bytes()].concat();
        tcp.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
        tcp.extend([offset << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        // Checksum and urgent pointer.
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(&self.payload);
        let length = tcp.len() as u16;
        let pseudo = [&from[..], &to, &[0, TCP], &length.to_be_bytes()].concat();
        let sum = checksum(&[&pseudo[..], &tcp].concat());
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut ip = vec![0x45, 0];
        ip.extend((IP_HEADER as u16 + length).to_be_bytes());
        // No id, do not fragment, 64 hops, and room for the checksum.
        ip.extend([0, 0, 0x40, 0, 64, TCP, 0, 0]);
        ip.extend([from, to].concat());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend(tcp);
        ip
    }

    /// `None` for anything but whole TCP over IPv4.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let ip = packet.get(..IP_HEADER)?;
        if ip[0] >> 4 != 4 || ip[9] != TCP {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = packet.get(usize::from(ip[0] & 15) * 4..total)?;
        let header = tcp.get(..TCP_HEADER)?;
        let short = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let long = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let address = |at: usize| Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
        Some(Self {
            from: SocketAddrV4::new(address(12), short(0)),
            to: SocketAddrV4::new(address(16), short(2)),
            flags: header[13],
            seq: long(4),
            ack: long(8),
            window: short(14),
            payload: tcp.get(usize::from(header[12] >> 4) * 4..)?.to_vec(),
        })
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let segment = Segment {
            from: "10.0.0.1:80".parse().unwrap(),
            to: "10.0.0.2:40000".parse().unwrap(),
            flags: SYN | ACK,
            seq: u32::MAX,
            ack: 7,
            window: 9,
            payload: b"odd".to_vec(),
        };
        let packet = segment.encode();
        assert_eq!(Segment::decode(&packet), Some(segment.clone()));
        assert_eq!(segment.end(), 3);
        assert_eq!(checksum(&packet[..IP_HEADER]), 0, "a header with its checksum sums up to nothing");
        for length in 0..packet.len() {
            assert_eq!(Segment::decode(&packet[..length]), None, "{length} bytes");
        }
    }
}
