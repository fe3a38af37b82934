//! What the pipeline is measured with: records of bad closes by this very process, whose stack leads through functions of
//! this program, so that everything about them can be found out, and is cached after the first one.

use std::net::Ipv4Addr;

use clap::Parser as _;
use conn_observer::{
    attribute::Completer,
    cli::{Cli, Task},
    clock::Clock,
    decode::Decoder,
    kernel::Reasons,
    options::Options,
    procfile,
    sink::Ledger,
    stream::Batch,
};
use observer_ebpf::{Attribution, Kind, Record, Role, Source, present, record_flag};
use zerocopy::{FromZeros as _, IntoBytes as _};

/// Frames of a stack.
const FRAMES: usize = 8;

/// What an observer does by default, but for the time that it waits for symbols: here all are to be there.
pub(crate) fn options() -> Options {
    let cli = Cli::try_parse_from(["conn-observer", "--symbol-budget", "10s"]).expect("options");
    match cli.task() {
        Ok(Task::Observe(options)) => *options,
        other => panic!("not a run: {other:?}"),
    }
}

/// A record as the kernel side writes it: a client has left 4,022 bytes unread.
pub(crate) fn record() -> Vec<u8> {
    let pid = std::process::id();
    let mapped = |address: Ipv4Addr| [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes(address.octets())];
    let mut record = Record::new_zeroed();
    record.kind = Kind::CLOSE;
    record.cause = conn_observer::cause::Cause::CloseUnread.code();
    record.source = Source::BOTH;
    record.attribution = Attribution::CURRENT;
    record.role = Role::CLIENT;
    record.time_ns = conn_observer::clock::boot_ns();
    record.born_ns = record.time_ns - 2_000_000;
    record.old_state = 1;
    record.process.tgid = pid;
    record.process.pid = pid;
    record.process.start_ns = procfile::start_ns("/proc/self").expect("/proc");
    record.process.comm[..3].copy_from_slice(&[0x696c_6564, 0x6576_7265, 0x0072]);
    record.unread_bytes = 4_022;
    record.received_bytes = 8_118;
    record.sent_bytes = 96;
    record.srtt_us = 180;
    record.flags = record_flag::RESET_SENT;
    record.present = present::UNREAD
        | present::STATE
        | present::ENDPOINTS
        | present::RESET_SEQ
        | present::RECEIVED
        | present::SENT
        | present::SRTT;
    record.endpoints.local = mapped(Ipv4Addr::new(10, 0, 0, 5));
    record.endpoints.peer = mapped(Ipv4Addr::new(10, 1, 2, 3));
    (record.endpoints.local_port, record.endpoints.peer_port) = (41_822, 6_443);
    record.stack_bytes = (FRAMES * 8) as i32;
    record.stack_room = (FRAMES * 8) as u32;
    let mut bytes = record.as_bytes().to_vec();
    // Return addresses in functions of this program.
    let functions = [self::record as *const () as u64, options as *const () as u64];
    let addresses = (0..FRAMES as u64).map(|frame| functions[(frame % 2) as usize] + 8 + frame);
    bytes.extend(addresses.flat_map(u64::to_ne_bytes));
    bytes
}

/// What decodes records.
pub(crate) fn decoder(reasons: &Reasons) -> Decoder<'_> {
    Decoder::new(Clock::read(), reasons, "node-7")
}

/// Adds a record to what was read, as the stream does.
pub(crate) fn decode(decoder: &mut Decoder<'_>, bytes: &[u8], batch: &mut Batch) {
    batch.told.push(decoder.decode(bytes, 1, &mut batch.words).expect("a record"));
}

/// So many findings that were read together.
pub(crate) fn batch(decoder: &mut Decoder<'_>, bytes: &[u8], events: usize) -> Batch {
    let mut batch = Batch::default();
    (0..events).for_each(|_| decode(decoder, bytes, &mut batch));
    batch
}

/// What completes events, when it has completed one and so knows all about them.
pub(crate) fn completer(decoder: &mut Decoder<'_>, bytes: &[u8]) -> Completer {
    let mut completer = Completer::new(&options(), Ledger::default(), None).expect("threads");
    completer.prepare();
    for _ in 0..2 {
        completer.complete(batch(decoder, bytes, 1));
    }
    completer
}
