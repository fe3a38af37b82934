//! The seed of it all: Go's net/http client closes a connection whose response body was not read to its end.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
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
use conn_observer_tests::report::Report;
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
            small_bodies_that_go_leaves_are_told_without_any_reset,
            bodies_of_8_kilobytes_that_go_leaves_are_told_as_resets,
            the_stack_of_a_go_client_leads_to_its_read_loop_with_lines_and_advice,
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
                // `no_socket`: the rest of the body meets a connection that is gone by then.
                "data_after_close" | "data_after_timewait" | "no_socket" => {
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

/// Lets a Go client leave `count` bodies unread. How many connections the kernel aborted for it.
pub(crate) fn leave_bodies(namespace: &Netns, body: u64, count: u64) -> u64 {
    requests(namespace, body, count, "leave", |_| ()).0.counters.tcp_ext("TCPAbortOnClose")
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
    for body in [100, 8_000] {
        Netns::run(|namespace| {
            let observe = |pid: u32| Observer::within(namespace, &["--pid", &pid.to_string()]);
            let (run, observer) = requests(namespace, body, 1_000, "drain", observe);
            let report = observer.stop();
            assert_eq!(report.events().collect::<Vec<_>>(), Vec::<&Event>::new());
            assert!(run.accepted < 50, "connections are reused: {}", run.accepted);
            assert_eq!(report.of_kind("churn"), Vec::<&Event>::new());
        });
    }
}

/// Lets Go leave `count` bodies unread. What is told of that within one window.
fn left_bodies(namespace: &Netns, body: u64, count: u64) -> (Report, u32) {
    let observe = |pid: u32| (Observer::within(namespace, &["--pid", &pid.to_string(), "--churn", "1h"]), pid);
    let (run, (observer, pid)) = requests(namespace, body, count, "leave", observe);
    assert_eq!(run.accepted, count, "no connection is reused");
    (observer.stop(), pid)
}

fn small_bodies_that_go_leaves_are_told_without_any_reset() {
    Netns::run(|namespace| {
        let (report, pid) = left_bodies(namespace, 100, 200);
        assert_eq!(report.events().collect::<Vec<_>>(), Vec::<&Event>::new(), "all of it is in user space: FIN");
        let events = report.of_kind("churn");
        assert_eq!(events.len(), 1, "{events:?}");
        let event = events[0];
        assert_eq!((event.text("verdict"), event.text("severity")), ("closes", "suspect"), "{event:?}");
        assert_eq!((event.text("process.comm"), event.number("process.pid")), ("requests", pid.into()), "{event:?}");
        assert_eq!((event.text("network.role"), event.text("network.peer.address")), ("client", "127.0.0.1"));
        let counts = ["opened", "closed", "flagged", "short_lived", "peer_first"];
        let counts = counts.map(|name| event.number(&format!("connections.{name}")));
        assert_eq!(counts, [200, 200, 0, 200, 0], "{event:?}");
        assert_eq!((event.text("reuse"), event.number("handshakes_wasted")), ("none", 199), "{event:?}");
        let (rate, window) = (event.at("rate_per_s").as_f64().unwrap(), event.number("window_ms") as f64);
        // The window is told in whole milliseconds.
        assert!(200_000.0 / (window + 1.0) <= rate + 0.001 && rate <= 200_000.0 / window + 0.001, "{event:?}");
        assert_eq!(event.text("process.runtime.name"), "go", "{event:?}");
        assert!(event.text("process.executable.path").ends_with("/requests"), "{event:?}");
        assert!(event.text("hint.advice").contains("resp.Body"), "{event:?}");
        let message = event.text("message");
        assert!(message.starts_with(&format!("requests[{pid}] closed 200 connections to 127.0.0.1:")), "{message}");
        assert!(message.ends_with("none was used twice"), "{message}");
    });
}

fn bodies_of_8_kilobytes_that_go_leaves_are_told_as_resets() {
    Netns::run(|namespace| {
        let (report, _) = left_bodies(namespace, 8_000, 200);
        let events = report.of_kind("churn");
        assert_eq!(events.len(), 1, "{events:?}");
        let event = events[0];
        assert_eq!((event.text("verdict"), event.text("severity")), ("resets", "suspect"), "{event:?}");
        // Where the close came before the rest of the body, that met a closed socket.
        assert_eq!(event.number("connections.flagged"), report.count("close_unread"), "{event:?}");
        assert_eq!(["opened", "closed"].map(|name| event.number(&format!("connections.{name}"))), [200; 2]);
    });
}

/// As it is built by default, and without symbol table and debug information.
fn the_stack_of_a_go_client_leads_to_its_read_loop_with_lines_and_advice() {
    const READ_LOOP: &str = "net/http.(*persistConn).readLoop";
    let stripped = build("stripped", &["-ldflags", "-s -w"]);
    for (name, client) in [("requests", by_default()), ("stripped", &stripped)] {
        Netns::run(|namespace| {
            let mut server = Peer::spawn(program(&["server", "20000"]));
            let address = json(&server.listen())["listening"].as_str().expect("an address").to_owned();
            // Named in time also on a busy machine.
            let mut observer = Observer::within(namespace, &["--cause", "close_unread", "--symbol-budget", "5s"]);
            let mut command = Command::new(client);
            // Now and then a close comes before the body does.
            command.args(["client", &format!("http://{address}/"), "50", "leave"]);
            let mut client = Peer::spawn(command);
            client.listen();
            client.tell("begin");
            let of_read_loop = |event: &Event| {
                event.at("stack.user").as_array().expect("a stack").iter().any(|one| one["symbol"] == READ_LOOP)
            };
            // Now and then the write loop is not done yet, and ends the connection that the read loop has closed.
            let event = loop {
                let event = observer.next_event();
                assert_eq!(event.number("process.pid"), u64::from(client.pid()), "{event:?}");
                if of_read_loop(&event) {
                    break event;
                }
            };
            let frames = event.at("stack.user").as_array().expect("a stack");
            let frame = frames.iter().find(|frame| frame["symbol"] == READ_LOOP).expect("as above");
            assert!(frame["file"].as_str().is_some_and(|file| file.ends_with("/net/http/transport.go")), "{frame}");
            assert!(frame["line"].as_u64().is_some_and(|line| line > 100), "{frame}");
            assert_eq!(frame["module"], name, "{frame}");
            assert_eq!(frames[0]["inlined"], Value::Null, "{event:?}");
            assert_eq!(event.text("process.runtime.name"), "go", "{event:?}");
            assert!(event.text("hint.advice").contains("resp.Body"), "{event:?}");
            assert!(event.text("hint.reference").contains("net/http"), "{event:?}");
        });
    }
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

/// The Go program as it is built by default, once a run.
fn by_default() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build("requests", &[]))
}

pub(super) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(by_default());
    command.args(arguments);
    command
}

/// Builds `tests/peers/go` without a network.
fn build(name: &str, flags: &[&str]) -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let program = scratch.join(name);
    let mut build = Command::new(tool("go").expect("go"));
    build.current_dir(sources().join("go")).args(["build", "-o"]).arg(&program).args(flags).arg(".");
    build.env("GOCACHE", scratch.join("go-cache")).env("GOPATH", scratch.join("go-path"));
    build.envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GO111MODULE", "on"), ("CGO_ENABLED", "0")]);
    let output = build.output().expect("go");
    assert!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
    program
}
