//! Programs that end right behind their bad close, long before anybody reads of it: five hundred of each kind, and every
//! one is told in full.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::Peer;
use conn_observer_tests::queue;
use serde_json::json;

use super::curl::{BUFFER, accept_request, response};
use super::stacks::{C, build, folder};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "peers", [PrivateNetns, Bpf, Tool("curl")], [five_hundred_short_lived_curls_are_told_in_full,]);
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, Tool("cc"), Sources],
        [five_hundred_short_lived_c_programs_are_told_in_full,]
    );
}

const RUNS: usize = 500;

/// A run of a program: its process, its arguments, and what it left unread.
struct Run {
    pid: u32,
    arguments: Vec<String>,
    unread: u64,
}

fn five_hundred_short_lived_curls_are_told_in_full() {
    // It comes in one piece, of which curl reads a part, and sees a Content-Length that it was told not to take.
    let answer = response(20_000);
    assert_told_in_full("/curl", |listener, number| {
        let program = tool("curl").expect("curl");
        let url = format!("http://{}/{number}", address(listener));
        let options = ["--silent", "--noproxy", "*", "--max-filesize", "10", "--limit-rate", &BUFFER.to_string()];
        let mut curl = Command::new(&program);
        curl.args(options).arg(&url);
        let curl = Peer::spawn(curl);
        let mut stream = accept_request(listener);
        stream.write_all(&answer).expect("send");
        let pid = curl.pid();
        assert_eq!(curl.finish().1.code(), Some(63), "CURLE_FILESIZE_EXCEEDED");
        let arguments = [&[program.to_str().expect("UTF-8")], &options[..], &[&url]].concat();
        Run { pid, arguments: arguments.into_iter().map(str::to_owned).collect(), unread: answer.len() as u64 - BUFFER }
    });
}

fn five_hundred_short_lived_c_programs_are_told_in_full() {
    let folder = folder("short-lived");
    build("cc", &folder, &["-O1", "-o", "close_unread"], C);
    assert_told_in_full("/close_unread", |listener, number| {
        let name = format!("run-{number}");
        let port = address(listener).port().to_string();
        let mut program = Command::new(folder.join("close_unread"));
        program.arg0(&name).args(["client", "127.0.0.1", &port]);
        let mut program = Peer::spawn(program);
        program.listen();
        let (mut stream, _) = listener.accept().expect("accept");
        let unread = number as u64 + 1;
        stream.write_all(&vec![b'x'; number + 1]).expect("send");
        queue::wait_for(stream.peer_addr().expect("connected").port(), address(listener).port(), unread);
        program.tell("close");
        let pid = program.pid();
        // It ends with its input.
        let (said, status) = program.finish();
        assert!(said == ["closed"] && status.success(), "{said:?} {status}");
        let arguments = [&name, "client", "127.0.0.1", &port].map(str::to_owned);
        Run { pid, arguments: arguments.into(), unread }
    });
}

/// Each run is over before the observer reads of the first one.
fn assert_told_in_full(path: &str, run: impl Fn(&TcpListener, usize) -> Run + Sync) {
    Netns::run(|namespace| {
        let comm = path.trim_start_matches('/');
        let observer = Observer::within(namespace, &["--cause", "close_unread", "--comm", comm, "--latency", "1000"]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let runs: Vec<Run> = (0..RUNS).map(|number| run(&listener, number)).collect();
        let report = observer.stop();
        let events: Vec<_> = report.events().collect();
        assert_eq!(events.len(), RUNS);
        let parent = json!(std::process::id());
        for (event, run) in events.into_iter().zip(runs) {
            assert_eq!(event.number("process.pid"), u64::from(run.pid), "{event:?}");
            assert_eq!(event.number("tcp.unread_bytes"), run.unread, "{event:?}");
            assert!(event.text("process.executable.path").ends_with(path), "{event:?}");
            assert_eq!(event.at("process.command_args"), &json!(run.arguments), "{event:?}");
            assert_eq!(event.at("process.parents")[0]["pid"], parent, "{event:?}");
            assert_eq!(event.text("process.user.name"), "root", "{event:?}");
        }
        let counted = ["unknown_processes", "process_misses", "lost_processes", "lost"];
        assert_eq!(counted.map(|name| report.stopped().number(name)), [0; 4], "{:?}", report.stopped());
    });
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("bound")
}
