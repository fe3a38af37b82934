//! curl gives up on a response, by its own rule or by a signal.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use conn_observer_tests::act::Act;
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::{Peer, by_peer};
use conn_observer_tests::{queue, sock};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, Tool("curl")],
        [curl_that_refuses_a_large_file_is_flagged_once, curl_that_is_killed_while_receiving_is_flagged_once,]
    );
    add!(suite, "peers", [PrivateNetns, Tool("curl")], [curl_aborts_in_both_cases,]);
}

/// curl reads at most this much at once: with a lower rate limit its buffer is as large as the limit.
pub(super) const BUFFER: u64 = 2_048;

fn curl_that_refuses_a_large_file_is_flagged_once() {
    assert_flagged_once(refuse_large_file);
}

fn curl_that_is_killed_while_receiving_is_flagged_once() {
    assert_flagged_once(kill_while_receiving);
}

fn assert_flagged_once(act: fn(&Netns) -> Act) {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let act = act(namespace);
        let event = observer.expect("close_unread", &act);
        assert_eq!(event.text("process.comm"), "curl", "{event:?}");
        assert_eq!(observer.events_before_fence(), []);
    });
}

fn curl_aborts_in_both_cases() {
    for act in [refuse_large_file, kill_while_receiving] {
        Netns::run(|namespace| {
            let before = namespace.counters();
            act(namespace);
            assert_eq!(namespace.counters().since(&before).tcp_ext("TCPAbortOnClose"), 1);
        });
    }
}

/// The whole response waits in curl's queue before curl reads its first bytes, and sees a Content-Length it was told
/// not to take.
fn refuse_large_file(namespace: &Netns) -> Act {
    let limits = ["--max-filesize", "1000", "--limit-rate", &BUFFER.to_string()];
    let (curl, mut stream) = requested(namespace, &limits);
    curl.pause();
    let response = response(50_000);
    stream.write_all(&response).expect("send");
    let act = by_peer(&curl, &stream, response.len() as u64 - BUFFER);
    queue::wait_for(act.local.port(), act.peer.port(), response.len() as u64);
    curl.resume();
    let (_, status) = curl.finish();
    assert_eq!(status.code(), Some(63), "CURLE_FILESIZE_EXCEEDED");
    act
}

/// Nobody reads curl's output, so it comes to a halt before it has read all: a pipe and its buffers are smaller.
fn kill_while_receiving(namespace: &Netns) -> Act {
    let (curl, mut stream) = requested(namespace, &[]);
    stream.write_all(&response(1_000_000)).expect("send");
    sock::wait_acknowledged(&stream);
    until("curl to pass data on", || curl.unheard() > 0);
    curl.pause();
    let mut act = by_peer(&curl, &stream, 0);
    act.unread = queue::unread(act.local.port(), act.peer.port()).expect("curl's socket");
    assert!(act.unread > 0);
    curl.kill();
    act
}

/// curl, which has sent its request, and our end of its connection.
fn requested(namespace: &Netns, arguments: &[&str]) -> (Peer, TcpStream) {
    namespace.wide_windows();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    let mut command = Command::new(tool("curl").expect("curl"));
    command.args(["--silent", "--noproxy", "*"]).args(arguments);
    command.arg(format!("http://{}/", listener.local_addr().unwrap()));
    let curl = Peer::spawn(command);
    (curl, accept_request(&listener))
}

/// Our end of a connection over which a request has come.
pub(super) fn accept_request(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("accept");
    let mut request = BufReader::new(&stream).lines();
    while !request.next().expect("a header").expect("a line").is_empty() {}
    stream
}

pub(super) fn response(body: usize) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n").into_bytes();
    response.resize(response.len() + body, b'x');
    response
}
