use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::net::{UnixDatagram, UnixListener},
    path::PathBuf,
    thread,
};

use super::*;
use crate::{
    options::Facility,
    sink::example::{close, losses},
};

/// A place for a unix socket.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("conn-observer-syslog-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn sink(&self, timeout: &str) -> Syslog {
        sink(&format!("unix:{}", self.0.display()), timeout)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn open(settings: &str) -> Result<Syslog> {
    Syslog::open(&toml::from_str(settings).unwrap())
}

fn sink(address: &str, timeout: &str) -> Syslog {
    open(&format!("address = {address:?}\ntimeout = {timeout:?}")).unwrap()
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    (listener, address)
}

/// The messages of the events of a delivery from a position on.
fn messages(delivery: &Delivery, from: usize) -> Vec<Vec<u8>> {
    let writer = Messages::of(Facility::Daemon);
    let write = |position| {
        let mut message = Vec::new();
        writer.write(&delivery.events()[position], delivery.json().line(position), &mut message);
        message
    };
    (from..delivery.events().len()).map(write).collect()
}

/// Everything up to the end, by its counts of bytes.
fn counted(mut stream: TcpStream) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let (mut rest, mut found) = (all.as_slice(), Vec::new());
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').unwrap();
        let count: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        let (message, behind) = rest[space + 1..].split_at(count);
        found.push(message.to_vec());
        rest = behind;
    }
    found
}

#[test]
fn a_finding_is_a_message_of_rfc_5424() {
    let mut message = b"old".to_vec();
    let event = close(7, "a]\"\\\n→");
    Messages::of(Facility::Local3).write(&event, "{\"a\":\"→\"}".as_bytes(), &mut message);
    // 155 = 19 (local3) * 8 + 3 (err)
    let expected = format!(
        "<155>1 2026-11-24T08:46:25.029397Z node-7 conn-observer {} close [conn-observer@32473 seq=\"7\" \
         cause=\"close_unread\" severity=\"harmful\" pid=\"4242\" comm=\"a\\]\\\"\\\\\u{fffd}→\" \
         peer=\"[fd00::2\\]:443\"] {{\"a\":\"→\"}}",
        std::process::id()
    );
    assert_eq!(String::from_utf8(message).unwrap(), expected);
}

#[test]
fn a_host_may_be_named_anything() {
    let host = |name: &str| {
        let mut event = close(7, "a");
        event.host.name = name.into();
        let mut message = Vec::new();
        Messages::of(Facility::Daemon).write(&event, b"{}", &mut message);
        String::from_utf8(message).unwrap().split(' ').nth(2).unwrap().to_owned()
    };
    assert_eq!(host(""), "-");
    assert_eq!(host("a b\nç"), "a?b??");
    assert_eq!(host(&"x".repeat(300)), "x".repeat(255));
}

#[test]
fn over_tcp_messages_have_their_length_in_front() {
    let (listener, address) = listen();
    let mut sink = sink(&address, "10s");
    let delivery = losses(0..3, 10);
    sink.deliver(&delivery, 1).unwrap();
    sink.deliver(&losses(3..4, 10), 0).unwrap();
    sink.finish().unwrap();
    let received = counted(listener.accept().unwrap().0);
    assert_eq!(received, [messages(&delivery, 1), messages(&losses(3..4, 10), 0)].concat());
}

#[test]
fn a_receiver_that_hangs_is_waited_for_and_goes_on_where_it_stopped() {
    let (listener, address) = listen();
    let mut sink = sink(&address, "50ms");
    // More than fits all buffers on the way.
    let delivery = losses(0..150, 100_000);
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert!(stop.next > 0 && stop.refused == 0 && sink.connection.is_some());
    assert!(stop.error.to_string().ends_with("has taken nothing for 50ms"), "{}", stop.error);
    let (stream, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || counted(stream));
    let mut next = stop.next;
    // A reader that is slow for a while is no failure of the test.
    while let Err(stop) = sink.deliver(&delivery, next) {
        next = stop.next;
    }
    sink.finish().unwrap();
    assert!(reader.join().unwrap() == messages(&delivery, 0), "each once, in order");
}

#[test]
fn an_event_that_was_given_up_in_its_middle_ends_the_connection() {
    let (listener, address) = listen();
    let mut sink = sink(&address, "50ms");
    let delivery = losses(0..150, 100_000);
    sink.deliver(&delivery, 0).unwrap_err();
    let next = losses(400..401, 10);
    assert!(sink.connection.as_ref().is_some_and(|connection| !connection.is_between_messages()));
    let stop = sink.deliver(&next, 0).unwrap_err();
    assert!(format!("{:#}", stop.error).ends_with("a message was cut short") && sink.connection.is_none());
    sink.deliver(&next, 0).unwrap();
    sink.finish().unwrap();
    let _first = listener.accept().unwrap();
    assert_eq!(counted(listener.accept().unwrap().0), messages(&next, 0));
}

#[test]
fn a_receiver_that_has_ended_is_noticed_before_anything_is_sent_to_it() {
    let (listener, address) = listen();
    let mut sink = sink(&address, "10s");
    sink.deliver(&losses(0..1, 10), 0).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    // What it says is read, or our end would reset the connection.
    stream.write_all(b"hello").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    // Over loopback the FIN is there already.
    sink.deliver(&losses(1..2, 10), 0).unwrap();
    sink.finish().unwrap();
    assert_eq!(counted(stream), messages(&losses(0..1, 10), 0));
    assert_eq!(counted(listener.accept().unwrap().0), messages(&losses(1..2, 10), 0));
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let (listener, address) = listen();
    drop(listener);
    let stop = sink(&address, "10s").deliver(&losses(0..2, 10), 1).unwrap_err();
    assert_eq!((stop.next, stop.refused), (1, 0));
    let told = format!("{:#}", stop.error);
    assert!(told.starts_with("cannot connect to 127.0.0.1:"), "{told}");
    let stop = Place::new("nobody").sink("10s").deliver(&losses(0..1, 10), 0).unwrap_err();
    assert!(format!("{:#}", stop.error).contains("is a syslog daemon running?"), "{:#}", stop.error);
}

#[test]
fn a_stream_socket_gets_messages_that_end_with_nul() {
    let place = Place::new("stream");
    let listener = UnixListener::bind(&place.0).unwrap();
    let mut sink = place.sink("10s");
    let delivery = losses(0..2, 10);
    sink.deliver(&delivery, 0).unwrap();
    sink.finish().unwrap();
    let mut all = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
    assert_eq!(all, messages(&delivery, 0).iter().flat_map(|one| [one, &b"\0"[..]].concat()).collect::<Vec<_>>());
}

#[test]
fn what_no_datagram_holds_is_refused_and_the_rest_goes_on() {
    let place = Place::new("datagrams");
    let socket = UnixDatagram::bind(&place.0).unwrap();
    let mut sink = place.sink("10s");
    // Beyond the send buffer that any of our machines grants.
    let delivery = Delivery::new(vec![close(0, "a"), losses(1..2, 20 << 20).events()[0].clone(), close(2, "b")]);
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert_eq!((stop.next, stop.refused), (2, 1));
    assert!(stop.error.to_string().contains("takes no datagram of 20971"), "{}", stop.error);
    sink.deliver(&delivery, stop.next).unwrap();
    let mut buffer = [0; 4096];
    for position in [0, 2] {
        let count = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..count], messages(&delivery, 0)[position]);
    }
}

#[test]
fn a_full_datagram_socket_is_waited_for_no_longer_than_the_timeout() {
    let place = Place::new("full");
    let socket = UnixDatagram::bind(&place.0).unwrap();
    let mut sink = place.sink("20ms");
    let delivery = losses(0..10_000, 10);
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert!(stop.next > 0 && stop.refused == 0);
    let mut buffer = [0; 4096];
    socket.recv(&mut buffer).unwrap();
    assert!(sink.deliver(&delivery, stop.next).unwrap_err().next > stop.next, "there was room for one more");
}

#[test]
fn a_facility_has_its_code() {
    for (facility, code) in [(Facility::User, 1), (Facility::Daemon, 3), (Facility::Ftp, 11), (Facility::Local7, 23)] {
        let mut message = Vec::new();
        Messages::of(facility).write(&close(7, "a"), b"{}", &mut message);
        // 3 is err.
        let expected = format!("<{}>1 ", code * 8 + 3);
        assert!(message.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let told = |settings: &str| toml::from_str::<SyslogSink>(settings).unwrap_err().message().to_owned();
    assert_eq!(told("address = 'udp:a:1'"), "expected unix:/path/of/socket or tcp:host:port");
    let facility = told("facility = 'kern'");
    assert!(facility.starts_with("unknown variant `kern`, expected one of `user`, `mail`, `daemon`,"), "{facility}");
    let timeout = open("timeout = '0ms'").err().unwrap().to_string();
    assert_eq!(timeout, "sink syslog:unix:/dev/log: timeout must be longer than 0");
}
