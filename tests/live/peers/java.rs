//! Java: what it runs on is told, and what its HTTP client wants.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::{Peer, by_peer};
use conn_observer_tests::queue;

use super::curl::{accept_request, response};
use super::stacks::{build, folder};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, Tool("java"), Tool("javac"), Sources],
        [an_http_url_connection_that_is_not_read_is_told_with_advice,]
    );
}

fn an_http_url_connection_that_is_not_read_is_told_with_advice() {
    let folder = folder("java");
    build("javac", &folder, &["-d", "."], "java/CloseUnread.java");
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let mut command = Command::new(tool("java").expect("java"));
        command.current_dir(&folder).args(["-XX:TieredStopAtLevel=1", "CloseUnread"]);
        command.arg(format!("http://{}/", listener.local_addr().expect("bound")));
        let mut java = Peer::spawn(command);
        let mut stream = accept_request(&listener);
        // Java itself reads up to 512 KiB that are left, and keeps the connection; here the rest is never sent.
        stream.write_all(&response(1_000_000)[..50_000]).expect("send");
        assert_eq!(java.listen(), "200");
        let act = by_peer(&java, &stream, 0);
        until("a body", || queue::unread(act.local.port(), act.peer.port()).is_some_and(|unread| unread > 30_000));
        java.tell("disconnect");
        assert_eq!(java.listen(), "closed");
        // It is gone by now, or soon.
        let event = observer.next_event();
        assert_eq!(event.number("process.pid"), u64::from(java.pid()), "{event:?}");
        assert_eq!((event.cause(), event.text("process.runtime.name")), ("close_unread", "jvm"), "{event:?}");
        assert!(event.text("process.runtime.version").starts_with(|first: char| first.is_ascii_digit()), "{event:?}");
        assert!(event.text("hint.advice").contains("HttpURLConnection"), "{event:?}");
    });
}
