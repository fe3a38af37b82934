use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::*;
use crate::{
    kernel::{ProgramRuns, Tally},
    options::Sinks,
    plan::Plan,
    sink::Opened,
    vitals::{Report, Vitals},
};

fn settings(more: &str) -> Sinks {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    toml::from_str(&format!("[[prometheus]]\nlisten = '{free}'\n{more}")).unwrap()
}

/// A sink that answers, of a main loop that has just reported.
fn start() -> (Prometheus, Surroundings) {
    let around = Surroundings::default();
    let (time, tally) = (Instant::now(), Tally::default());
    around.vitals.report(Report { time, plan: Plan::Tracepoint, attached: true, received: 0, malformed: 0, tally });
    let mut sink = Prometheus::open(&settings("").prometheus[0], &around).unwrap();
    sink.idle().unwrap();
    (sink, around)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Status line and headers, and body.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(address);
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn metrics_and_health_are_read_and_nothing_else() {
    let (mut sink, around) = start();
    let (head, body) = ask(sink.address, "GET /metrics?name=x");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for line in [
        concat!("conn_observer_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "conn_observer_hook_plan_info{plan=\"tracepoint\"} 1",
        "conn_observer_kernel_acts_total{cause=\"close_unread\"} 0",
        "conn_observer_lost_total{where=\"ring\"} 0",
        "# TYPE process_cpu_seconds_total counter",
    ] {
        assert!(body.lines().any(|one| one == line), "{line} in\n{body}");
    }
    assert_eq!(ask(sink.address, "HEAD /metrics").1, "");
    for (request, status) in [
        ("GET /", "404"),
        ("POST /", "404"),
        ("GET /metrics/", "404"),
        ("POST /metrics", "405"),
        ("DELETE /healthz", "405"),
        ("GET /healthz", "200"),
    ] {
        let (head, _) = ask(sink.address, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
    }
    assert!(ask(sink.address, "GET /healthz").1.starts_with("ok\nhooks: tracepoint\n"));
    around.vitals.detached();
    let (head, body) = ask(sink.address, "GET /healthz");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.starts_with("the hooks are detached"), "{body}");
    sink.finish().unwrap();
}

#[test]
fn runs_of_hooks_are_told_when_the_kernel_measures_them() {
    let (mut sink, around) = start();
    let told = |address| ask(address, "GET /metrics").1.contains("conn_observer_hook_runs");
    assert!(!told(sink.address), "nothing is measured");
    let hook = |name: &str, runs| ProgramRuns { hook: name.to_owned(), runs, time: Duration::from_micros(1_500) };
    let programs = vec![hook("tp_btf/tcp_send_reset", 3), hook("tp_btf/tcp_destroy_sock", 0)];
    let last = Report::clone(&around.vitals.last().unwrap());
    around.vitals.report(Report { tally: Tally { programs, ..Tally::default() }, ..last });
    let (_, body) = ask(sink.address, "GET /metrics");
    let lines: Vec<&str> = body.lines().filter(|line| line.starts_with("conn_observer_hook_")).collect();
    let hook = "{hook=\"tp_btf/tcp_send_reset\"}";
    assert!(lines.contains(&&*format!("conn_observer_hook_runs_total{hook} 3")), "{lines:?}");
    assert!(lines.contains(&&*format!("conn_observer_hook_seconds_total{hook} 0.0015")), "{lines:?}");
    assert_eq!(lines.len(), 3, "and the plan: {lines:?}");
    sink.finish().unwrap();
}

#[test]
fn connections_that_are_only_held_keep_nobody_out() {
    let (mut sink, _around) = start();
    let mut held: Vec<TcpStream> = (0..connections::MOST * 3).map(|_| connect(sink.address)).collect();
    for stream in &mut held {
        // Those that are gone already refuse it.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ");
    }
    assert!(ask(sink.address, "GET /metrics").0.starts_with("HTTP/1.1 200 "));
    let open = |mut stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let left = held.iter().filter(|stream| open(stream)).count();
    assert!(left < connections::MOST, "{left} of them are still there");
    sink.finish().unwrap();
}

#[test]
fn a_connection_goes_on_as_long_as_it_is_used() {
    let (mut sink, _around) = start();
    let mut used = connect(sink.address);
    for _ in 0..connections::MOST + 10 {
        write!(used, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            used.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        drop(connect(sink.address));
    }
    sink.finish().unwrap();
}

#[test]
fn an_address_that_is_taken_is_refused_with_what_to_do() {
    let sinks = settings("");
    let _taken = TcpListener::bind(sinks.prometheus[0].listen).unwrap();
    let refused = format!("{:#}", Opened::open(&sinks, &Vitals::default()).err().unwrap());
    assert!(refused.contains(&sinks.prometheus[0].listen.to_string()), "{refused}");
    assert!(refused.contains("`listen` sets another") && refused.contains("in use"), "{refused}");
}

#[test]
fn other_settings_keep_the_address_and_the_counters() {
    let before = settings("labels = 0\n");
    let mut after = before.clone();
    after.prometheus[0].labels = 1;
    let address = before.prometheus[0].listen;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut lanes = Opened::open(&before, &Vitals::default()).unwrap().start(None).unwrap();
    lanes.fan().offer(&Arc::new(churn()));
    runtime.block_on(lanes.change(&after).unwrap().finish());
    lanes.fan().offer(&Arc::new(churn()));
    let counts = |text: &str, process| {
        let line = format!("conn_observer_churn_verdicts_total{{process=\"{process}\"}} 1");
        text.lines().any(|one| one == line)
    };
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, text) = ask(address, "GET /metrics");
        if counts(&text, "other") && counts(&text, "a") {
            break;
        }
        assert!(Instant::now() < end, "one before and one after the change:\n{text}");
    }
    runtime.block_on(lanes.finish());
}

#[test]
fn two_sinks_of_one_name_are_refused() {
    let mut sinks = settings("");
    sinks.prometheus.extend(sinks.prometheus.clone());
    let refused = format!("{:#}", Opened::open(&sinks, &Vitals::default()).err().unwrap());
    assert!(refused.contains("there are two sinks prometheus:127.0.0.1:"), "{refused}");
}

/// A verdict on process `a`.
fn churn() -> Delivery {
    let event = serde_json::json!({
        "schema": "", "seq": 0, "time": "1970-01-01T00:00:00Z", "message": "", "host": {"name": ""},
        "type": "churn", "verdict": "closes", "severity": "benign",
        "process": {"pid": 1, "tid": 1, "comm": "a", "thread": {"name": "a"}, "user": {"id": 0}, "attribution": "current"},
        "network": {"type": "ipv4", "transport": "tcp", "role": "client", "peer": {"address": "10.0.0.1"}},
        "window_ms": 1, "rate_per_s": 1.0, "mean_lifetime_ms": 1.0, "handshakes_wasted": 0, "sent_bytes": 0, "received_bytes": 0,
        "connections": {"opened": 1, "closed": 1, "flagged": 0, "short_lived": 1, "peer_first": 0},
    });
    Delivery::new(vec![serde_json::from_value(event).unwrap()])
}

/// The table in docs/sinks.md is the one of [`metric`].
#[test]
fn the_page_tells_every_metric() {
    let page = include_str!("../../../../docs/sinks.md");
    let rows: Vec<String> = metric::ALL
        .iter()
        .map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help)
        })
        .collect();
    let table = format!("| metric | type | labels | meaning |\n|---|---|---|---|\n{}", rows.concat());
    assert!(page.contains(&table), "docs/sinks.md should have this table:\n{table}");
}
