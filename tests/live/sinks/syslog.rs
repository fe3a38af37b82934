//! rsyslog receives RFC 5424, over TCP and on a socket of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use conn_observer_tests::abort;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::Peer;
use conn_observer_tests::report::Report;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "sinks",
        [PrivateNetns, Bpf, Tool("rsyslogd")],
        [
            rsyslog_gets_every_event_once_over_tcp,
            rsyslog_gets_every_event_once_on_its_socket,
            an_rsyslog_that_was_killed_gets_what_happened_meanwhile,
            an_rsyslog_that_hangs_costs_nobody_else_an_event,
        ]
    );
}

fn rsyslog_gets_every_event_once_over_tcp() {
    let setup = Setup::new();
    gets_every_event_once(&setup, &setup.tcp());
}

fn rsyslog_gets_every_event_once_on_its_socket() {
    let setup = Setup::new();
    gets_every_event_once(&setup, &setup.unix());
}

fn gets_every_event_once(setup: &Setup, sink: &str) {
    Netns::run(|namespace| {
        let _rsyslog = setup.start();
        let mut observer = setup.observer(namespace, sink);
        close_badly(&mut observer, 20);
        let pid = observer.pid();
        let report = observer.stop();
        for (received, event) in setup.compare(&report).iter().zip(report.lines()) {
            assert_eq!(received.header, header(event, pid));
        }
    });
}

fn an_rsyslog_that_was_killed_gets_what_happened_meanwhile() {
    let setup = Setup::new();
    Netns::run(|namespace| {
        let rsyslog = setup.start();
        let mut observer = setup.observer(namespace, &setup.tcp());
        close_badly(&mut observer, 5);
        // `started` and both ends of each close: all that was sent before has arrived.
        setup.wait_for(11);
        rsyslog.kill();
        close_badly(&mut observer, 5);
        let _rsyslog = setup.start();
        close_badly(&mut observer, 5);
        let report = observer.stop();
        setup.compare(&report);
        let sink = report.stopped().sink("syslog:");
        assert!(sink["retries"].as_u64() > Some(0), "nobody was there for a while: {sink}");
        assert_eq!(sink["lost"], 0, "{sink}");
    });
}

fn an_rsyslog_that_hangs_costs_nobody_else_an_event() {
    let setup = Setup::new();
    Netns::run(|namespace| {
        let rsyslog = setup.start();
        let mut observer = setup.observer(namespace, &format!("{},timeout=100ms,queue=32KiB", setup.unix()));
        setup.wait_for(1);
        rsyslog.pause();
        // Its socket's queue and ours are full after some dozens.
        let last = close_badly(&mut observer, 100);
        let before = setup.received().len();
        rsyslog.resume();
        until("rsyslog to get what has waited", || setup.received().len() > before);
        until("rsyslog to get what is new", || {
            close_badly(&mut observer, 1);
            setup.received().iter().any(|one| one.event().number("seq") > last)
        });
        let report = observer.stop();
        let (syslog, file) = (report.stopped().sink("syslog:"), report.stopped().sink("file:"));
        assert_eq!(file["lost"], 0, "{file}");
        let filed = setup.filed();
        assert_eq!(filed.len(), report.lines().len(), "the file has them all");
        let lost = syslog["lost"].as_u64().unwrap();
        let told = report.of_kind("loss").into_iter().filter(|loss| loss.text("sink").starts_with("syslog:"));
        assert_eq!(told.map(|loss| loss.number("lost")).sum::<u64>(), lost, "{syslog}");
        assert!(lost > 0, "{syslog}");
        let received = setup.wait_for(filed.len() - usize::try_from(lost).unwrap());
        let mut rest = filed.iter();
        assert!(received.iter().all(|one| rest.any(|line| *line == one.json)), "each once, in order");
    });
}

/// Makes so many closes, and reads their events; the last one's `seq`.
fn close_badly(observer: &mut Observer, count: usize) -> u64 {
    let mut last = 0;
    for _ in 0..count {
        let act = abort::fence();
        last = observer.expect("close_unread", &act).number("seq");
    }
    last
}

/// What rsyslog is to read from the header of an event's message.
fn header(event: &Event, pid: u32) -> String {
    const LOCAL3: u32 = 19;
    let level = match (event.kind(), event.text("severity")) {
        ("started" | "reloaded" | "stopped", _) => 5,
        (_, "harmful") => 3,
        (_, "suspect") => 4,
        _ => 6,
    };
    let (time, host, kind) = (&event.text("time")[..26], event.text("host.name"), event.kind());
    format!("{} {time}Z {host} conn-observer {pid} {kind}", LOCAL3 * 8 + level)
}

/// A line of rsyslog's file.
#[derive(Debug)]
struct Received {
    /// What it has read from the header.
    header: String,
    json: String,
}

impl Received {
    fn event(&self) -> Event {
        Event::parse(&self.json)
    }
}

/// Where rsyslog listens and writes, also when it is started again.
struct Setup {
    folder: Folder,
    port: u16,
    configuration: PathBuf,
}

impl Setup {
    fn new() -> Self {
        let folder = Folder::new("syslog");
        // The port is free again at the end of the statement, and the namespace is ours alone.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let place = folder.path().display();
        let line = "%pri% %timestamp:::date-rfc3339% %hostname% %app-name% %procid% %msgid%\\t%msg%\\n";
        let configuration = format!(
            r#"global(workDirectory="{place}" maxMessageSize="256k")
               module(load="imtcp")
               module(load="imuxsock" sysSock.use="off")
               template(name="line" type="string" string="{line}")
               ruleset(name="events") {{ action(type="omfile" file="{place}/received" template="line") }}
               input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="events")
               input(type="imuxsock" socket="{place}/log" useSpecialParser="off" parseHostname="on"
                     ignoreTimestamp="off" rateLimit.interval="0" ruleset="events")
            "#
        );
        let configuration = folder.write("rsyslog.conf", &configuration);
        Self { folder, port, configuration }
    }

    /// Starts rsyslog, and returns once it listens.
    fn start(&self) -> Peer {
        let socket = self.folder.path().join("log");
        // A killed one has left it.
        let _ = fs::remove_file(&socket);
        let mut command = Command::new(tool("rsyslogd").expect("rsyslogd"));
        command.arg("-n").arg("-f").arg(&self.configuration).arg("-i").arg(self.folder.path().join("pid"));
        let peer = Peer::spawn(command);
        until("rsyslogd to listen", || TcpStream::connect(("127.0.0.1", self.port)).is_ok() && socket.exists());
        peer
    }

    fn tcp(&self) -> String {
        format!("syslog,facility=local3,address=tcp:127.0.0.1:{}", self.port)
    }

    fn unix(&self) -> String {
        format!("syslog,facility=local3,address=unix:{}/log", self.folder.path().display())
    }

    fn observer(&self, namespace: &Netns, sink: &str) -> Observer {
        let file = format!("file,path={}/filed", self.folder.path().display());
        Observer::within(namespace, &["--output", "-", "--sink", sink, "--sink", &file])
    }

    /// What rsyslog has written so far.
    fn received(&self) -> Vec<Received> {
        let text = fs::read_to_string(self.folder.path().join("received")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(|line| line.split_once('\t').expect("a header"));
        lines.map(|(header, json)| Received { header: header.to_owned(), json: json.to_owned() }).collect()
    }

    /// What rsyslog has written, once it is so many lines.
    fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = Vec::new();
        until(&format!("{count} lines of rsyslog"), || {
            received = self.received();
            received.len() >= count
        });
        assert_eq!(received.len(), count);
        received
    }

    /// That rsyslog has each event once, as the file sink has it.
    #[track_caller]
    fn compare(&self, report: &Report) -> Vec<Received> {
        let filed = self.filed();
        assert_eq!(filed.len(), report.lines().len());
        let received = self.wait_for(filed.len());
        for (received, line) in received.iter().zip(&filed) {
            assert_eq!(received.json, *line);
        }
        received
    }

    /// Lines of the file sink.
    fn filed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("filed")).expect("the file sink's file");
        text.lines().map(str::to_owned).collect()
    }
}
