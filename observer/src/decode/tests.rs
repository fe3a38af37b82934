//! Decoding of hand-made records, of every prefix of one, and of noise.

use observer_ebpf::RECORD_LEN;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;

fn record() -> Record {
    let mut record = Record::new_zeroed();
    record.kind = Kind::CLOSE;
    record.cause = Cause::CloseUnread.code();
    record.source = Source::BOTH;
    record.attribution = AttributionCode::CURRENT;
    record.role = RoleCode::CLIENT;
    record.time_ns = 3_000_000;
    record.born_ns = 1_000_000;
    record.old_state = 1;
    record.process.tgid = 42;
    record.process.pid = 43;
    record.unread_bytes = 4_022;
    record.flags = record_flag::RESET_SENT;
    record.present = present::UNREAD | present::STATE | present::ENDPOINTS | present::RESET_SEQ;
    record.reset_seq = 77;
    record.endpoints.local = [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes([10, 0, 0, 5])];
    record.endpoints.peer = [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes([10, 1, 2, 3])];
    record.endpoints.peer_port = 6443;
    record.stack_bytes = 16;
    record
}

fn decode(bytes: &[u8]) -> Result<Decoded, Malformed> {
    decode_to(bytes, &mut Vec::new())
}

fn decode_to(bytes: &[u8], words: &mut Vec<u64>) -> Result<Decoded, Malformed> {
    let reasons = Reasons::default();
    Decoder::new(Clock::with_offset(0), &reasons, "node-7").decode(bytes, 7, words)
}

fn whole() -> Vec<u8> {
    let mut bytes = record().as_bytes().to_vec();
    bytes.extend(0x1000_u64.to_ne_bytes());
    bytes.extend(0x2000_u64.to_ne_bytes());
    bytes
}

#[test]
fn a_whole_record_becomes_an_event() {
    let mut words = vec![1, 2, 3];
    let decoded = decode_to(&whole(), &mut words).unwrap();
    let Body::Close(finding) = decoded.event.body else { panic!("not a close") };
    assert_eq!(finding.network.unwrap().peer, Endpoint::of("10.1.2.3".parse().unwrap(), 6443));
    assert_eq!(finding.tcp.duration_ms, Some(2.0));
    assert_eq!(finding.tcp.state.as_deref(), Some("ESTABLISHED"));
    assert_eq!(finding.tcp.kernel_reason, None);
    assert_eq!(decoded.addresses.within(&words), Recorded { user: &[0x1000, 0x2000], ..Recorded::default() });
    assert_eq!(decoded.addresses.within(&words[..4]), Recorded::default(), "words of another batch");
}

#[test]
fn every_prefix_of_a_record_is_refused() {
    let bytes = whole();
    for length in 0..bytes.len() {
        assert!(matches!(decode(&bytes[..length]), Err(Malformed::Short(_))), "prefix of {length} bytes");
    }
}

#[test]
fn the_top_of_the_stack_lies_before_the_kernel_stack() {
    let mut record = record();
    (record.stack_room, record.top_bytes, record.kernel_stack_bytes) = (40, 16, 8);
    let mut bytes = record.as_bytes().to_vec();
    bytes.extend((1..=6_u64).flat_map(u64::to_ne_bytes));
    let mut words = Vec::new();
    let addresses = decode_to(&bytes, &mut words).unwrap().addresses;
    assert_eq!(addresses.within(&words), Recorded { user: &[1, 2], top: &[4, 5], kernel: &[6] });
    for top_bytes in [48, u32::MAX] {
        record.top_bytes = top_bytes;
        bytes[..RECORD_LEN].copy_from_slice(record.as_bytes());
        assert!(matches!(decode(&bytes), Err(Malformed::Short(_))), "more than there is room for");
    }
}

#[test]
fn noise_is_decoded_or_refused_but_never_panics() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = whole();
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if state >> 61 == 0 {
                *byte = (state >> 32) as u8;
            }
        }
        let _ = decode(&bytes);
    }
}

#[test]
fn an_unknown_code_is_named() {
    let mut record = record();
    record.cause = 99;
    assert_eq!(decode(record.as_bytes()).unwrap_err(), Malformed::Code("cause", 99));
}

#[test]
fn both_ends_of_a_reset_give_it_the_same_id() {
    let sent = record();
    let mut received = record();
    received.kind = Kind::RECEIVED;
    received.flags = 0;
    (received.endpoints.local, received.endpoints.peer) = (sent.endpoints.peer, sent.endpoints.local);
    (received.endpoints.local_port, received.endpoints.peer_port) =
        (sent.endpoints.peer_port, sent.endpoints.local_port);
    let id = |record: &Record| reset_id(record);
    assert!(id(&sent).is_some_and(|id| id.to_string().len() == ResetId::DIGITS));
    assert_eq!(id(&sent), id(&received));
    received.reset_seq += 1;
    assert_ne!(id(&sent), id(&received));
    let mut quiet = sent;
    quiet.flags = 0;
    assert_eq!(id(&quiet), None, "no RST, no id");
}

#[test]
fn records_about_one_process_share_it_until_something_of_it_changes() {
    let reasons = Reasons::default();
    let mut decoder = Decoder::new(Clock::with_offset(0), &reasons, "node-7");
    let mut process = |record: &Record, clock| {
        decoder.set_clock(Clock::with_offset(clock));
        let bytes = [record.as_bytes(), &[0; 16]].concat();
        decoder.decode(&bytes, 7, &mut Vec::new()).unwrap().event.body.finding().unwrap().process.clone().unwrap()
    };
    let mut record = record();
    record.process.start_ns = 1_000;
    let first = process(&record, 0);
    record.time_ns += 1;
    assert!(Arc::ptr_eq(&first, &process(&record, 0)), "another event");
    let later = process(&record, 1_000_000_000);
    assert_eq!(first.start_time, Some(crate::clock::Time::of(1_000)));
    assert_eq!(later.start_time, Some(crate::clock::Time::of(1_000_001_000)), "the clock was set");
    record.process.comm[0] = u32::from_ne_bytes(*b"name");
    assert_eq!(process(&record, 0).comm, "name");
    record.process.flags = person_flag::EXITING;
    assert_eq!(process(&record, 0).exiting, Some(true));
    record.attribution = AttributionCode::CLOSER;
    assert_eq!(process(&record, 0).attribution, Attribution::Closer);
    record.attribution = 99;
    let bytes = record.as_bytes();
    assert_eq!(decoder.decode(bytes, 7, &mut Vec::new()).unwrap_err(), Malformed::Code("attribution", 99));
}

#[test]
fn a_record_may_lie_anywhere_in_memory() {
    let expected = decode(&whole()).unwrap();
    for shift in 0..16 {
        let bytes = [vec![0; shift], whole()].concat();
        assert_eq!(decode(&bytes[shift..]).unwrap().event, expected.event, "shifted by {shift}");
    }
}
