//! rsyslog with `deploy/rsyslog/conn-observer.conf`: what goes in as RFC 5424 comes out as the same lines of JSON.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;

use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::peer::Peer;
use conn_observer_tests::run::run;
use serde_json::{Value, json};

use super::{fleet, path, text};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "deploy",
        [PrivateNetns, Sources, Tool("rsyslogd")],
        [
            rsyslog_writes_events_that_come_over_tcp_by_host,
            rsyslog_writes_events_that_come_over_its_socket,
            rsyslog_leaves_other_messages_out,
            rsyslogs_own_configuration_takes_ours,
        ]
    );
}

fn rsyslog_writes_events_that_come_over_tcp_by_host() {
    Netns::run(|_| {
        let rsyslog = Rsyslog::start();
        let mut stream = TcpStream::connect(("127.0.0.1", rsyslog.port)).expect("connect");
        // From another host's namesake: a name is no way into other folders.
        let evil = json!({"schema": "conn-observer/1", "type": "close", "host": {"name": "../../web-1"}}).to_string();
        let lines = [fleet(), vec![large(), evil.clone()]].concat();
        for line in &lines {
            let message = message(line);
            // Octet counting (RFC 6587 §3.4.1).
            write!(stream, "{} ", message.len()).expect("send");
            stream.write_all(&message).expect("send");
        }
        for host in ["web-1", "web-2", "api-1"] {
            rsyslog.wait_for(host, &lines.iter().filter(|line| host_of(line) == host).cloned().collect::<Vec<_>>());
        }
        rsyslog.wait_for(".._.._web-1", &[evil]);
    });
}

fn rsyslog_writes_events_that_come_over_its_socket() {
    Netns::run(|_| {
        let rsyslog = Rsyslog::start();
        let socket = UnixDatagram::unbound().expect("a socket");
        let lines: Vec<String> = fleet().into_iter().chain([large()]).filter(|line| host_of(line) == "web-1").collect();
        for line in &lines {
            socket.send_to(&message(line), rsyslog.folder.path().join("run/syslog.sock")).expect("send");
        }
        rsyslog.wait_for("web-1", &lines);
    });
}

fn rsyslog_leaves_other_messages_out() {
    Netns::run(|_| {
        let rsyslog = Rsyslog::start();
        let line = &fleet()[0];
        let other = String::from_utf8(message(line)).unwrap().replacen(" conn-observer ", " sshd ", 1);
        let mut stream = TcpStream::connect(("127.0.0.1", rsyslog.port)).expect("connect");
        write!(stream, "{} {other}", other.len()).expect("send");
        // The fence, over the same connection.
        let fence = message(line);
        write!(stream, "{} ", fence.len()).expect("send");
        stream.write_all(&fence).expect("send");
        rsyslog.wait_for(&host_of(line), std::slice::from_ref(line));
    });
}

/// As a file of /etc/rsyslog.d on a machine with the distribution's own configuration.
fn rsyslogs_own_configuration_takes_ours() {
    let folder = Folder::new("rsyslog.d");
    let own = fs::read_to_string("/etc/rsyslog.conf").expect("/etc/rsyslog.conf");
    let ours = path("rsyslog/conn-observer.conf").display().to_string();
    let with_ours = own.replace("/etc/rsyslog.d/*.conf", &ours);
    assert_ne!(with_ours, own, "it includes /etc/rsyslog.d/*.conf");
    let mut command = Command::new(tool("rsyslogd").expect("rsyslogd"));
    command.arg("-N1").arg("-f").arg(folder.write("rsyslog.conf", &with_ours));
    let outcome = run(command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // It complains without failing.
    assert_eq!(outcome.stderr.lines().count(), 2, "the first and the last line alone: {outcome:?}");
}

/// An event as `--sink syslog,…` sends it: RFC 5424, facility daemon, the type as MSGID, the line as MSG without a BOM
/// (which rsyslog would leave in the line).
fn message(line: &str) -> Vec<u8> {
    const DAEMON: u32 = 3;
    const NOTICE: u32 = 5;
    let event: Value = serde_json::from_str(line).expect("JSON");
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let (time, host, kind) = (word(&event["time"]), word(&event["host"]["name"]), word(&event["type"]));
    // TIME-SECFRAC has six digits at most.
    let time = if time.len() > 27 { format!("{}Z", &time[..26]) } else { time };
    format!("<{}>1 {time} {host} conn-observer 4242 {kind} - {line}", DAEMON * 8 + NOTICE).into_bytes()
}

/// Far above rsyslog's own limit of 8 KiB, and not of ASCII alone.
fn large() -> String {
    let stack = "→".repeat(30_000);
    json!({"schema": "conn-observer/1", "type": "close", "host": {"name": "web-1"}, "stack": stack}).to_string()
}

fn host_of(line: &str) -> String {
    let event: Value = serde_json::from_str(line).expect("JSON");
    event["host"]["name"].as_str().expect("a host").to_owned()
}

/// rsyslogd with our configuration, in which places and port are its own.
struct Rsyslog {
    folder: Folder,
    port: u16,
    _peer: Peer,
}

impl Rsyslog {
    fn start() -> Self {
        let folder = Folder::new("rsyslog");
        // The port is free again at the end of the statement, and the namespace is ours alone.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let place = folder.path().display().to_string();
        let ours = [
            ("/run/conn-observer/", format!("{place}/run/")),
            ("/var/log/conn-observer/", format!("{place}/log/")),
            ("port=\"6514\"", format!("port=\"{port}\"")),
        ];
        let mut configuration = text("rsyslog/conn-observer.conf");
        for (users, tests) in ours {
            assert_eq!(configuration.matches(users).count(), 1, "{users}");
            configuration = configuration.replace(users, &tests);
        }
        let ours = folder.write("conn-observer.conf", &configuration);
        let main = format!(
            "global(workDirectory=\"{place}\")\nmodule(load=\"imuxsock\" sysSock.use=\"off\")\ninclude(file=\"{}\")\n",
            ours.display()
        );
        let mut command = Command::new(tool("rsyslogd").expect("rsyslogd"));
        command.arg("-n").arg("-f").arg(folder.write("rsyslog.conf", &main)).arg("-i").arg(folder.path().join("pid"));
        let peer = Peer::spawn(command);
        until("rsyslogd to listen", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok() && folder.path().join("run/syslog.sock").exists()
        });
        Self { folder, port, _peer: peer }
    }

    /// Until the file of a host has these lines and nothing else.
    #[track_caller]
    fn wait_for(&self, host: &str, lines: &[String]) {
        let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let file: PathBuf = self.folder.path().join("log").join(format!("{host}.ndjson"));
        until(&format!("{} lines in {}", lines.len(), file.display()), || {
            fs::metadata(&file).is_ok_and(|metadata| metadata.len() >= expected.len() as u64)
        });
        assert_eq!(fs::read_to_string(&file).expect("UTF-8"), expected);
    }
}
