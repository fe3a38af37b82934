//! The seed of it all: Go's net/http client closes a connection whose response body was not read to its end.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use conn_observer_tests::counters::Counters;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::{sources, tool};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::Peer;
use conn_observer_tests::queue;
use serde_json::Value;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, Tool("go"), Sources],
        [
            a_thousand_go_requests_with_unread_bodies_are_all_accounted_for,
            go_bodies_of_100_kilobytes_are_accounted_for,
            go_bodies_of_5_megabytes_are_accounted_for,
            a_go_client_that_drains_its_bodies_has_no_finding,
        ]
    );
    add!(
        suite,
        "peers",
        [PrivateNetns, Tool("go"), Sources],
        [go_aborts_undrained_connections_and_reuses_drained_ones,]
    );
}

/// What the client and the server say of themselves, and what the kernel counted meanwhile.
struct Run {
    /// Local port of each connection the client closed → bytes it had read there.
    read: HashMap<u16, u64>,
    accepted: u64,
    counters: Counters,
}

/// `observe` is called with the client's pid before its first request.
fn requests<T>(namespace: &Netns, body: u64, count: u64, end: &str, observe: impl FnOnce(u32) -> T) -> (Run, T) {
    let mut server = Peer::spawn(program(&["server", &body.to_string()]));
    let address = json(&server.listen())["listening"].as_str().expect("an address").to_owned();
    let mut client = Peer::spawn(program(&["client", &format!("http://{address}/"), &count.to_string(), end]));
    assert_eq!(json(&client.listen())["ready"], true);
    let observer = observe(client.pid());
    let before = namespace.counters();
    client.tell("begin");
    let mut read = HashMap::new();
    loop {
        let line = json(&client.listen());
        if line["done"] == count {
            break;
        }
        let port = line["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let earlier = read.insert(port, line["read"].as_u64().expect("bytes"));
        assert_eq!(earlier, None, "the kernel gave out port {port} twice");
    }
    // The server may still be writing. When its last connection is gone, the last RST has been sent.
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    until("the server's connections to end", || queue::connections(port) == 0);
    let counters = namespace.counters().since(&before);
    server.tell("how many connections?");
    let accepted = json(&server.listen())["accepted"].as_u64().expect("a number");
    client.tell("end");
    assert!(client.finish().1.success());
    (Run { read, accepted, counters }, observer)
}

fn assert_accounted_for(body: u64, count: u64) {
    Netns::run(|namespace| {
        let observe = |pid: u32| Observer::within(namespace, &["--pid", &pid.to_string()]);
        let (run, observer) = requests(namespace, body, count, "leave", observe);
        let report = observer.stop();
        assert_eq!(run.read.len() as u64, count, "no connection is reused");
        assert_eq!(report.count("close_unread"), run.counters.tcp_ext("TCPAbortOnClose"));
        assert!(report.count("close_unread") > count / 2, "{:?}", report.stopped());
        let mut accounted = HashSet::new();
        for event in report.events() {
            assert_eq!(event.text("process.comm"), "requests", "{event:?}");
            match event.cause() {
                "close_unread" => assert_unread_is_what_was_left(event, &run.read),
                "data_after_close" | "data_after_timewait" => {
                    assert_eq!(event.text("process.attribution"), "closer", "{event:?}");
                }
                _ => panic!("a strange cause: {event:?}"),
            }
            assert!(run.read.contains_key(&event.local_port()), "a port the client never had: {event:?}");
            accounted.insert(event.local_port());
        }
        assert_eq!(accounted.len() as u64, count, "every connection is accounted for");
        assert_eq!(report.stopped().number("lost"), 0);
    });
}

fn assert_unread_is_what_was_left(event: &Event, read: &HashMap<u16, u64>) {
    let left = event.number("tcp.received_bytes") - read[&event.local_port()];
    assert_eq!(event.number("tcp.unread_bytes"), left, "{event:?}");
    assert!(left > 0, "{event:?}");
}

fn a_thousand_go_requests_with_unread_bodies_are_all_accounted_for() {
    assert_accounted_for(8_000, 1_000);
}

fn go_bodies_of_100_kilobytes_are_accounted_for() {
    assert_accounted_for(100_000, 100);
}

fn go_bodies_of_5_megabytes_are_accounted_for() {
    assert_accounted_for(5_000_000, 50);
}

fn a_go_client_that_drains_its_bodies_has_no_finding() {
    Netns::run(|namespace| {
        let observe = |pid: u32| Observer::within(namespace, &["--pid", &pid.to_string()]);
        let (run, observer) = requests(namespace, 8_000, 1_000, "drain", observe);
        let report = observer.stop();
        assert_eq!(report.events().collect::<Vec<_>>(), Vec::<&Event>::new());
        assert!(run.accepted < 50, "connections are reused: {}", run.accepted);
    });
}

fn go_aborts_undrained_connections_and_reuses_drained_ones() {
    Netns::run(|namespace| {
        let (left, ()) = requests(namespace, 8_000, 200, "leave", |_| ());
        assert_eq!((left.read.len(), left.accepted), (200, 200));
        assert!(left.counters.tcp_ext("TCPAbortOnClose") > 100);
        let (drained, ()) = requests(namespace, 8_000, 200, "drain", |_| ());
        assert_eq!(drained.counters.tcp_ext("TCPAbortOnClose"), 0);
        assert!(drained.accepted < 20, "{}", drained.accepted);
    });
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// Builds `tests/peers/go`, once a run, without a network.
fn program(arguments: &[&str]) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let program = scratch.join("requests");
        let mut build = Command::new(tool("go").expect("go"));
        build.current_dir(sources().join("go")).args(["build", "-o"]).arg(&program).arg(".");
        build.env("GOCACHE", scratch.join("go-cache")).env("GOPATH", scratch.join("go-path"));
        build.envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GO111MODULE", "on"), ("CGO_ENABLED", "0")]);
        let output = build.output().expect("go");
        assert!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
        program
    });
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
