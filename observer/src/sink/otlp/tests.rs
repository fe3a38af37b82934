use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsPartialSuccess, common::v1::any_value::Value, logs::v1::LogRecord,
};
use prost::Message as _;

use super::*;
use crate::{
    cause::Cause,
    event::{
        Ancestor, Attribution, Body, CauseSource, Cgroup, Container, Event, Executable, Finding, Frame, Host,
        Kubernetes, Loss, Network, Process, Stack,
    },
    severity::Severity,
};

/// An event that has little to tell.
pub(super) fn event(seq: u64) -> Event {
    Event {
        schema: "conn-observer/1".into(),
        seq,
        time: "2026-11-24T08:46:25.029397244Z".parse().unwrap(),
        message: Some(format!("lost {seq}").into()),
        host: Host { name: "vm".into() },
        body: Body::Loss(Loss { place: "ring".to_owned(), sink: None, lost: seq, causes: vec![], total_lost: seq }),
    }
}

fn close() -> Event {
    let process = Process {
        comm: "undrained".to_owned(),
        executable: Some(Executable { path: "/usr/bin/undrained".to_owned(), deleted: None }),
        command_args: ["undrained", "--fast"].map(str::to_owned).into(),
        parents: vec![Ancestor { pid: 7, comm: "sh".to_owned() }],
        start_time: Some("2026-11-24T08:46:24.436456419Z".parse().unwrap()),
        ..Process::of(42, 43, Attribution::Current)
    };
    let network = serde_json::json!({
        "type": "ipv4", "transport": "tcp", "role": "client", "namespace": 5,
        "local": {"address": "10.0.0.5", "port": 41822},
        "peer": {"address": "10.1.2.3", "port": 6443, "name": "api.example", "name_source": "dns"},
    });
    let frame = Frame { symbol: Some("close".to_owned()), offset: Some("0x3a".to_owned()), ..Frame::default() };
    let mut finding = Finding {
        severity: Severity::Harmful,
        process: Some(process.into()),
        counterpart: Some(Process::of(50, 50, Attribution::Owner).into()),
        cgroup: Some(Cgroup { id: 9, path: Some("/a.slice".into()) }),
        container: Some(Container { id: "c0ffee".to_owned(), runtime: Some("containerd".to_owned()) }.into()),
        k8s: Some(Kubernetes { pod_uid: "u-1".to_owned(), qos_class: "guaranteed".to_owned() }.into()),
        network: Some(serde_json::from_value::<Network>(network).unwrap()),
        stack: Some(Stack { user: [frame.into()].into(), ..Stack::default() }),
        ..Finding::of(Cause::CloseUnread, CauseSource::Both)
    };
    finding.tcp.unread_bytes = Some(4_022);
    finding.tcp.duration_ms = Some(1.5);
    Event { message: Some("so it was".into()), body: Body::Close(finding), ..event(3) }
}

fn attributes(record: &LogRecord) -> BTreeMap<&str, Value> {
    let attributes = &record.attributes;
    let pairs: BTreeMap<&str, Value> = attributes
        .iter()
        .map(|one| (one.key.as_str(), one.value.clone().and_then(|value| value.value).unwrap()))
        .collect();
    assert_eq!(pairs.len(), attributes.len(), "each key once");
    pairs
}

#[test]
fn a_finding_is_told_in_the_names_of_the_conventions() {
    let record = record::of(&close(), 99);
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (1_795_509_985_029_397_244, 99));
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"));
    assert_eq!(record.event_name, "conn_observer.close");
    let text = |text: &str| Value::StringValue(text.to_owned());
    assert_eq!(record.body.as_ref().unwrap().value, Some(text("so it was")));
    let attributes = attributes(&record);
    let expected = [
        ("conn_observer.schema", text("conn-observer/1")),
        ("conn_observer.seq", Value::IntValue(3)),
        ("conn_observer.cause", text("close_unread")),
        ("conn_observer.cause_source", text("both")),
        ("conn_observer.severity", text("harmful")),
        ("conn_observer.tcp.unread_bytes", Value::IntValue(4_022)),
        ("conn_observer.tcp.duration_ms", Value::DoubleValue(1.5)),
        ("conn_observer.tcp.reset_sent", Value::BoolValue(false)),
        ("process.pid", Value::IntValue(42)),
        ("thread.id", Value::IntValue(43)),
        ("process.parent_pid", Value::IntValue(7)),
        ("process.executable.name", text("undrained")),
        ("process.executable.path", text("/usr/bin/undrained")),
        ("process.creation.time", text("2026-11-24T08:46:24.436456419Z")),
        ("process.user.id", Value::IntValue(0)),
        ("process.linux.cgroup", text("/a.slice")),
        ("conn_observer.process.comm", text("undrained")),
        ("conn_observer.process.attribution", text("current")),
        ("conn_observer.counterpart.pid", Value::IntValue(50)),
        ("conn_observer.cgroup.id", Value::IntValue(9)),
        ("container.id", text("c0ffee")),
        ("container.runtime.name", text("containerd")),
        ("k8s.pod.uid", text("u-1")),
        ("network.type", text("ipv4")),
        ("network.transport", text("tcp")),
        ("network.local.address", text("10.0.0.5")),
        ("network.local.port", Value::IntValue(41_822)),
        ("network.peer.address", text("10.1.2.3")),
        ("network.peer.port", Value::IntValue(6_443)),
        ("conn_observer.network.peer.name", text("api.example")),
        ("conn_observer.network.role", text("client")),
        ("code.stacktrace", text("#0 close+0x3a")),
    ];
    for (name, value) in expected {
        assert_eq!(attributes.get(name), Some(&value), "{name}");
    }
    for absent in ["conn_observer.message", "conn_observer.time", "conn_observer.type", "conn_observer.host.name"] {
        assert_eq!(attributes.get(absent), None);
    }
}

#[test]
fn what_is_lost_is_a_warning() {
    let record = record::of(&event(1), 0);
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
    assert_eq!(record.event_name, "conn_observer.loss");
    assert_eq!(attributes(&record)["conn_observer.lost"], Value::IntValue(1));
}

#[test]
fn what_can_never_work_is_refused_at_once() {
    for (settings, told) in [
        ("batch = 0", "more than zero"),
        ("timeout = '0s'", "more than zero"),
        ("endpoint = 'localhost:4317'", "expected http://host:port"),
        ("headers.authorization = '${NO_SUCH_VARIABLE_HERE}'", "NO_SUCH_VARIABLE_HERE is not set"),
        ("endpoint = 'https://h'\nca = '/nowhere.pem'", "cannot read /nowhere.pem"),
        ("endpoint = 'https://h'\ncert = '/nowhere.pem'\nca = '/etc/passwd'", "/etc/passwd holds no certificate"),
    ] {
        let outcome = Otlp::open(&toml::from_str(settings).unwrap());
        let error = format!("{:#}", outcome.err().expect(settings));
        assert!(error.contains(told), "{settings}: {error}");
    }
}

/// A server that gives one answer after the other, each on a connection of its own, and returns what it was sent.
fn server(answers: Vec<String>) -> (OtlpSink, JoinHandle<Vec<Vec<u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = format!("endpoint = 'http://127.0.0.1:{port}'\nprotocol = 'http'\nbatch = 2\nheaders.x-key = 'k'");
    let serve = move || answers.iter().map(|answer| serve(&listener, answer)).collect();
    (toml::from_str(&settings).unwrap(), thread::spawn(serve))
}

/// The sequence numbers in one request.
fn serve(listener: &TcpListener, answer: &str) -> Vec<u64> {
    let (mut connection, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/logs http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf") && head.contains("x-key: k"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    connection.write_all(answer.as_bytes()).unwrap();
    let request = ExportLogsServiceRequest::decode(&*body).unwrap();
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    records
        .iter()
        .map(|record| match attributes(record)["conn_observer.seq"] {
            Value::IntValue(seq) => u64::try_from(seq).unwrap(),
            ref other => panic!("{other:?}"),
        })
        .collect()
}

fn answer(status: &str, body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn events_go_in_batches_and_what_a_receiver_refuses_is_counted() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 1, error_message: "too old".to_owned() };
    let partial = ExportLogsServiceResponse { partial_success: Some(partial) };
    let (settings, server) = server(vec![
        answer("200 OK", b""),
        answer("200 OK", &partial.encode_to_vec()),
        answer("401 Unauthorized", b"who are you?"),
    ]);
    let mut sink = Otlp::open(&settings).unwrap();
    let delivery = Delivery::new((0..5).map(event).collect());
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert_eq!((stop.next, stop.refused), (4, 1));
    assert_eq!(stop.error.to_string(), "the receiver refused 1 of 2 events: too old");
    let stop = sink.deliver(&delivery, 4).unwrap_err();
    assert_eq!((stop.next, stop.refused), (5, 1));
    assert_eq!(stop.error.to_string(), "the receiver answered with HTTP status 401: who are you?");
    assert_eq!(server.join().unwrap(), [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn a_receiver_that_is_busy_is_left_alone_as_long_as_it_asks_for() {
    let busy = answer("503 Busy\r\nretry-after: 40", b"");
    let (settings, server) = server(vec![busy, answer("200 OK", b"")]);
    let mut sink = Otlp::open(&settings).unwrap();
    let delivery = Delivery::new(vec![event(0)]);
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert_eq!((stop.next, stop.refused), (0, 0));
    // Nobody is asked now: the server would answer that all is well.
    let stop = sink.deliver(&delivery, 0).unwrap_err();
    assert!(stop.error.to_string().contains("asked to be left alone for 40 s"), "{}", stop.error);
    sink.not_before = sink.not_before.map(|time| time - Duration::from_secs(40));
    assert!(sink.deliver(&delivery, 0).is_ok());
    assert_eq!(server.join().unwrap(), [[0], [0]], "nothing was sent meanwhile");
}

#[test]
fn a_page_of_somebody_else_is_no_answer() {
    let (settings, server) = server(vec![answer("200 OK", b"<html>Welcome</html>")]);
    let stop = Otlp::open(&settings).unwrap().deliver(&Delivery::new(vec![event(0)]), 0).unwrap_err();
    assert_eq!((stop.next, stop.refused), (1, 1));
    assert!(stop.error.to_string().contains("check the endpoint and its path"), "{}", stop.error);
    server.join().unwrap();
}

#[test]
fn nobody_there_is_no_refusal() {
    for protocol in ["grpc", "http"] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!("endpoint = 'http://127.0.0.1:{port}'\nprotocol = '{protocol}'");
        let mut sink = Otlp::open(&toml::from_str(&settings).unwrap()).unwrap();
        let stop = sink.deliver(&Delivery::new(vec![event(0)]), 0).unwrap_err();
        assert_eq!((stop.next, stop.refused), (0, 0));
        let told = format!("{:#}", stop.error);
        assert!(told.contains(&format!("cannot reach http://127.0.0.1:{port}/")), "{told}");
        assert!(told.contains("Connection refused"), "{told}");
    }
}
