//! Metrics as a real Prometheus has them, against what was really done; and clients that mean no good.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use conn_observer_tests::actor::{Actor, COMM};
use conn_observer_tests::crowd;
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::prometheus::Prometheus;
use conn_observer_tests::{abort, http, run, tail};
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "sinks",
        [PrivateNetns, Bpf, Tool("prometheus"), Tool("promtool")],
        [what_prometheus_has_is_what_was_done,]
    );
    add!(
        suite,
        "sinks",
        [PrivateNetns, Bpf],
        [clients_that_only_hold_connections_hinder_neither_scrapes_nor_sinks, an_address_in_use_is_refused,]
    );
    add!(suite, "sinks", [PrivateNetns, Bpf, Root], [metrics_move_to_another_address_without_privileges,]);
}

/// Where the observer listens unless it is told otherwise.
fn metrics() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 10_046))
}

fn what_prometheus_has_is_what_was_done() {
    Netns::run(|namespace| {
        let ours = fs::read_to_string("/proc/self/comm").unwrap();
        let ours = ours.trim_end();
        // A scrape that takes too long, on a machine that is busy, would be a finding, too.
        let mut observer = Observer::within(namespace, &["--sink", "prometheus", "--comm", ours, "--comm", COMM]);
        let prometheus = Prometheus::start(metrics());
        prometheus.expect("instance", "up", &[("127.0.0.1:10046", 1)]);
        let seen_before = prometheus.value("sum(conn_observer_kernel_acts_total{cause='close_unread'})").unwrap_or(0.0);
        let mut peer = String::new();
        for _ in 0..3 {
            let event = observer.expect("close_unread", &abort::unread(Family::V4, Side::Client, 100));
            peer = named(event.text("network.peer.name"), event.text("network.peer.address"));
        }
        for _ in 0..2 {
            observer.expect("linger_zero", &abort::linger_zero(Family::V4, Side::Client));
        }
        observer.expect("disconnect", &abort::disconnect(Family::V4));
        let mut actor = Actor::spawn();
        for _ in 0..2 {
            observer.expect("close_unread", &actor.play_one("unread 100"));
        }
        // Each of the eight acts has reset a peer on this host.
        let sum = |label| format!("sum by ({label}) (conn_observer_findings_total) > 0");
        prometheus.expect(
            "cause",
            &sum("cause"),
            &[("close_unread", 5), ("linger_zero", 2), ("disconnect", 1), ("reset_by_peer", 8)],
        );
        prometheus.expect("type", &sum("type"), &[("close", 7), ("reset_sent", 1), ("reset_received", 8)]);
        let unread = "conn_observer_findings_total{cause='close_unread', type='close'} > 0";
        prometheus.expect("severity", unread, &[("harmful", 5)]);
        let by_process = |cause| format!("conn_observer_process_findings_total{{cause='{cause}'}}");
        prometheus.expect("process", &by_process("close_unread"), &[(ours, 3), (COMM, 2)]);
        prometheus.expect("process", &by_process("disconnect"), &[(ours, 1)]);
        prometheus.expect("peer", "sum by (peer) (conn_observer_peer_findings_total)", &[(&peer, 16)]);

        let balance = "conn_observer_submitted_total - conn_observer_received_total \
                       - on() conn_observer_lost_total{where='ring'}";
        prometheus.expect("", balance, &[("", 0)]);
        prometheus.expect("", "conn_observer_received_total", &[("", 16)]);
        let sinks = [("prometheus:127.0.0.1:10046", 1), ("stdout", 1)];
        prometheus.expect("sink", "conn_observer_sink_up", &sinks);
        prometheus.expect("sink", "conn_observer_sink_lost_total + conn_observer_sink_retries_total + 1", &sinks);
        let plan = observer.plan().to_owned();
        prometheus.expect("plan", "conn_observer_hook_plan_info", &[(&plan, 1)]);
        prometheus.expect("", "process_open_fds > bool 10", &[("", 1)]);
        prometheus.expect("", "process_resident_memory_bytes > bool 1e6", &[("", 1)]);
        prometheus.expect("", "(time() - process_start_time_seconds) < bool 600", &[("", 1)]);

        check_with_promtool();
        assert_eq!(observer.events_before_fence(), []);
        // What the kernel side counts is of the whole host: what others do meanwhile may be in it.
        let acts = "conn_observer_kernel_acts_total{cause='close_unread'}";
        until("the kernel side's totals", || prometheus.value(acts).is_some_and(|acts| acts >= seen_before + 6.0));
        let (acts, lost) =
            (prometheus.value(acts).unwrap(), prometheus.value("sum(conn_observer_lost_total{where='ring'})"));
        drop(prometheus);
        let report = observer.stop();
        let rows = report.stopped().at("totals").as_array().unwrap();
        let rows = rows.iter().filter(|row| row["cause"] == "close_unread");
        let total: u64 = rows.map(|row| row["acts"].as_u64().unwrap()).sum();
        assert!(acts <= total as f64, "{acts} told of {total}");
        assert_eq!(lost, Some(0.0));
    });
}

fn named(name: &str, address: &str) -> String {
    if name.is_empty() { address.to_owned() } else { name.to_owned() }
}

/// Its linter has nothing to say.
fn check_with_promtool() {
    let (_, text) = http::get(metrics(), "/metrics").unwrap();
    let mut promtool = Command::new(tool("promtool").unwrap());
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\nof\n{text}");
}

fn clients_that_only_hold_connections_hinder_neither_scrapes_nor_sinks() {
    Netns::run(|namespace| {
        let folder = Folder::new("held");
        let file = folder.path().join("events.ndjson");
        let sink = format!("file,path={}", file.display());
        let mut observer = Observer::within(namespace, &["--sink", "prometheus", "--sink", &sink, "--output", "-"]);
        for path in ["/healthz", "/metrics", "/nothing"] {
            http::get(metrics(), path).unwrap();
        }
        assert_eq!(observer.events_before_fence(), [], "an answer ends no connection badly");
        crowd::allow_files();
        let held: Vec<TcpStream> = (0..500).map(hold).collect();
        let acts: Vec<_> = (0..20).map(|_| abort::unread(Family::V4, Side::Client, 3)).collect();
        // Who is put out while still writing is reset.
        let events = observer.events_until(|event| event.is_at(&acts[19]));
        assert!(acts.iter().all(|act| events.iter().any(|event| event.is_at(act))), "{events:?}");
        let (status, text) = http::get(metrics(), "/metrics").unwrap();
        assert_eq!(status, 200);
        let (status, health) = http::get(metrics(), "/healthz").unwrap();
        assert_eq!(status, 200, "{health}");
        assert!(health.starts_with("ok\n"), "{health}");
        let values = values(&text);
        let sink = format!("{{sink=\"file:{}\"}}", file.display());
        assert_eq!(values[&format!("conn_observer_sink_lost_total{sink}")], 0.0);
        assert_eq!(values[&format!("conn_observer_sink_up{sink}")], 1.0);
        assert!(values["process_open_fds"] < 200.0, "most of the 500 had to go: {}", values["process_open_fds"]);
        until("the file to have every event", || {
            let events = tail::whole(&file);
            acts.iter().all(|act| events.iter().any(|event| event.kind() == "close" && event.is_at(act)))
        });
        drop(held);
        observer.stop();
        assert_eq!(tail::whole(&file).last().unwrap().kind(), "stopped");
    });
}

/// A connection with nothing on it, or with a header that never ends.
fn hold(number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(metrics()).unwrap();
    if number.is_multiple_of(2) {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").unwrap();
    }
    stream
}

/// The samples of a page.
fn values(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.parse().unwrap()));
    samples.filter_map(split).collect()
}

fn an_address_in_use_is_refused() {
    Netns::run(|_| {
        let _other = TcpListener::bind(metrics()).unwrap();
        run::observer(&["--sink", "prometheus"]).assert_refused(&["127.0.0.1:10046", "in use", "`listen`"]);
    });
}

fn metrics_move_to_another_address_without_privileges() {
    Netns::run(|namespace| {
        let folder = Folder::new("metrics");
        let listen_at =
            |address: SocketAddr| folder.write("config.toml", &format!("[[sink.prometheus]]\nlisten = '{address}'\n"));
        let (old, new) = (metrics(), SocketAddr::from(([127, 0, 0, 1], 10_047)));
        let path = listen_at(old);
        let arguments = ["--config", path.to_str().unwrap(), "--sandbox", "best-effort", "--user", "nobody"];
        let mut observer = Observer::within(namespace, &arguments);
        let answers = |address| http::get(address, "/healthz").is_ok_and(|(status, _)| status == 200);
        until("the old address to answer", || answers(old));
        listen_at(new);
        observer.signal(Signal::HUP);
        observer.next_of_kind("reloaded");
        until("the new address to answer", || answers(new));
        until("the old address to be free", || TcpListener::bind(old).is_ok());
        // The address that is wanted now is taken: all stays as it is.
        let taken = TcpListener::bind(old).unwrap();
        listen_at(old);
        observer.signal(Signal::HUP);
        observer.wait_to_hear("not reloaded");
        assert!(answers(new));
        drop(taken);
        observer.stop();
    });
}
