//! Every entry with a finding that it is for, and with one that only resembles it.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

use super::*;
use crate::event::{AddressType, CauseSource, Endpoint, Frame, Network, Runtime, Stack};

/// A finding in the making.
struct Case(Finding);

/// An act of a process in its own name, on a connection of which nothing is known but its addresses.
fn act(cause: Cause) -> Case {
    let end = |port| Endpoint::of(Ipv4Addr::LOCALHOST.into(), port);
    let network = Network {
        kind: AddressType::Ipv4,
        transport: "tcp".into(),
        role: None,
        local: end(40_000),
        peer: end(80),
        namespace: None,
        host_namespace: None,
    };
    let process = Some(Process::of(4_242, 4_242, Attribution::Current).into());
    Case(Finding { process, network: Some(network), ..Finding::of(cause, CauseSource::Both) })
}

/// The same, remembered for a close before.
fn late(cause: Cause) -> Case {
    act(cause).process(|process| process.attribution = Attribution::Closer)
}

impl Case {
    fn process(mut self, change: impl FnOnce(&mut Process)) -> Self {
        change(Arc::make_mut(self.0.process.as_mut().unwrap()));
        self
    }

    fn runtime(self, name: &str) -> Self {
        self.process(|process| process.runtime = Some(Runtime { name: name.to_owned(), version: None }))
    }

    fn thread(self, name: &str) -> Self {
        self.process(|process| process.thread.name = name.to_owned())
    }

    fn arguments(self, arguments: &[&str]) -> Self {
        self.process(|process| process.command_args = arguments.iter().map(|&text| text.to_owned()).collect())
    }

    fn exiting(self) -> Self {
        self.process(|process| process.exiting = Some(true))
    }

    fn role(mut self, role: Role) -> Self {
        self.0.network.as_mut().unwrap().role = Some(role);
        self
    }

    fn client(self) -> Self {
        self.role(Role::Client)
    }

    fn server(self) -> Self {
        self.role(Role::Server)
    }

    fn unread(mut self, bytes: u32, fin: bool) -> Self {
        self.0.tcp.unread_bytes = Some(bytes);
        self.0.tcp.fin_received = Some(fin);
        self
    }

    fn segment(mut self, bytes: u32) -> Self {
        self.0.tcp.segment_bytes = Some(bytes);
        self
    }

    /// The innermost function first.
    fn stack(mut self, functions: &[&str]) -> Self {
        let frame = |symbol: &&str| Frame { symbol: Some((*symbol).to_owned()), ..Frame::default() }.into();
        self.0.stack = Some(Stack { user: functions.iter().map(frame).collect(), ..Stack::default() });
        self
    }
}

/// As they were seen, shortened.
const GO_CLOSE: [&str; 3] = ["syscall.Close", "internal/poll.(*FD).Close", "net.(*conn).Close"];
const UNDICI: [&str; 4] = [
    "uv__stream_close",
    "node::HandleWrap::Close(v8::FunctionCallbackInfo<v8::Value> const&)",
    "JS:~Socket._destroy node:net:800:37",
    "JS:~destroy node:internal/deps/undici/undici:1457:21",
];

fn go(functions: &[&str]) -> Case {
    act(Cause::CloseUnread).runtime("go").stack(&[&GO_CLOSE, functions].concat())
}

/// The entry, a finding that it is for, one that is none of its business, and whose that is.
fn cases() -> Vec<(&'static str, Case, Case, Option<&'static str>)> {
    use Cause::*;
    let unread = || act(CloseUnread).unread(4_022, false);
    let gunicorn =
        |case: Case| case.runtime("cpython").server().arguments(&["python3", "/venv/bin/gunicorn", "app:app"]);
    vec![
        ("phantom", act(ClosePhantom), act(Clean), None),
        ("close_notify_unread", act(CloseUnread).unread(24, true), act(CloseUnread).unread(24, false), None),
        (
            "close_notify_unread",
            act(CloseUnread).unread(64, true).client().runtime("cpython"),
            act(CloseUnread).unread(65, true),
            None,
        ),
        ("close_notify_late", late(DataAfterClose).segment(31), late(DataAfterClose).segment(23), Some("late")),
        (
            "close_notify_late",
            late(NoSocket).segment(24),
            act(NoSocket).process(|process| process.attribution = Attribution::Listener).segment(24),
            None,
        ),
        ("exiting", unread().exiting().runtime("cpython").client(), act(LingerZero).exiting(), Some("linger")),
        (
            "go_request_cancelled",
            go(&[
                "net/http.(*persistConn).closeLocked",
                "net/http.(*persistConn).cancelRequest",
                "net/http.(*persistConn).readLoop",
            ]),
            go(&["net/http.(*persistConn).closeLocked", "net/http.(*persistConn).readLoop"]),
            Some("go_response_unread"),
        ),
        (
            "go_response_unread",
            go(&["net/http.(*persistConn).close", "net/http.(*persistConn).readLoop.func1"]),
            go(&["net/http.(*Transport).CloseIdleConnections", "main.main"]),
            None,
        ),
        (
            "go_server_closed",
            go(&["net/http.(*Server).Close", "main.main"]),
            go(&["net/http.(*Server).Shutdown"]),
            None,
        ),
        (
            "go_request_unread",
            go(&["net/http.(*conn).close", "net/http.(*conn).serve"]).server(),
            go(&["main.main"]).server(),
            None,
        ),
        (
            "python_requests",
            unread()
                .runtime("cpython")
                .stack(&["sock_close", "py::Response.close:/v/site-packages/requests/models.py"]),
            unread().runtime("cpython").stack(&["sock_close", "py::close:/srv/requests_of_ours.py"]),
            None,
        ),
        (
            "python_aiohttp",
            unread().runtime("cpython").stack(&["py::ClientResponse.release:/v/aiohttp/client_reqrep.py"]),
            unread().runtime("cpython").server().stack(&["py::RequestHandler.close:/v/aiohttp/web_protocol.py"]),
            Some("http_server"),
        ),
        (
            "python_urllib3",
            unread().runtime("cpython").stack(&["py::HTTPResponse.close:/v/urllib3/response.py"]),
            unread().runtime("cpython").stack(&["py::HTTPServer.shutdown_request:/usr/lib/python3.12/http/server.py"]),
            None,
        ),
        (
            "node_fetch",
            unread().runtime("node").client().stack(&UNDICI),
            unread().runtime("node").client().stack(&UNDICI[..3]),
            Some("node_client"),
        ),
        (
            "node_http_request",
            unread().runtime("node").stack(&["JS:~destroy node:_http_client:421:51"]),
            unread().runtime("node").server().stack(&["JS:~destroy node:_http_server:421:51"]),
            Some("http_server"),
        ),
        (
            "jvm_http_url_connection",
            unread().runtime("jvm").stack(&["Lsun/net/www/protocol/http/HttpURLConnection;::disconnect"]),
            unread().runtime("jvm").stack(&["Ljava/net/Socket;::close"]),
            None,
        ),
        (
            "jvm_apache_http_client",
            unread().runtime("jvm").stack(&["Lorg/apache/http/impl/execchain/ConnectionHolder;::close"]),
            unread().runtime("jvm").stack(&["Lorg/apache/httpserver/Our;::close"]).server(),
            Some("http_server"),
        ),
        (
            "jvm_net_http",
            unread().runtime("jvm").client().thread("HttpClient-1-Se"),
            unread().runtime("rust").client().thread("HttpClient-1-Se"),
            None,
        ),
        (
            "tomcat",
            unread().runtime("jvm").server().thread("http-nio-8080-e"),
            unread().runtime("jvm").server().thread("qtp1234-17"),
            Some("http_server"),
        ),
        ("gunicorn", gunicorn(unread()), gunicorn(unread()).client(), Some("python_client")),
        (
            "gunicorn",
            unread().server().process(|process| process.comm = "gunicorn".to_owned()),
            unread().server().process(|process| process.comm = "gunicorns".to_owned()),
            None,
        ),
        (
            "gunicorn",
            unread().server().arguments(&["gunicorn: worker [/srv/app]"]),
            unread().server().arguments(&["vi", "/etc/gunicorn.conf"]),
            None,
        ),
        ("uwsgi", unread().runtime("uwsgi").server(), unread().runtime("uwsgi").client(), None),
        ("nginx_server", unread().runtime("nginx").server(), unread().runtime("nginx"), None),
        (
            "nginx_server",
            late(DataAfterClose).segment(1_448).runtime("nginx").server(),
            late(KeepaliveTimeout).runtime("nginx").server(),
            Some("keepalive"),
        ),
        ("nginx_upstream", unread().runtime("nginx").client(), unread().runtime("apache").client(), None),
        ("envoy_server", unread().runtime("envoy").server(), unread().runtime("envoy").client(), None),
        ("curl", unread().runtime("curl").client(), unread().runtime("wget").client(), None),
        (
            "curl",
            late(DataAfterClose).segment(32_768).runtime("curl").client(),
            act(ConnectionRefused).runtime("curl").client(),
            Some("refused"),
        ),
        ("python_client", unread().runtime("cpython").client(), unread().runtime("cpython"), None),
        (
            "python_client",
            late(DataAfterTimewait).segment(900).runtime("cpython").client(),
            act(ResetByPeer).runtime("cpython").client(),
            None,
        ),
        ("node_client", unread().runtime("node").client(), unread().runtime("deno").client(), None),
        ("jvm_client", unread().runtime("jvm").client(), unread().runtime("jvm"), None),
        (
            "dotnet_client",
            unread().runtime("dotnet").client(),
            unread().runtime("dotnet").server(),
            Some("http_server"),
        ),
        ("http_server", unread().runtime("ruby").server(), unread().runtime("rust").server(), None),
        (
            "http_server",
            unread().runtime("cpython").server(),
            late(DataAfterClose).segment(900).runtime("cpython").server(),
            Some("late_server"),
        ),
        (
            "nginx_linger",
            act(LingerZero).runtime("nginx").server(),
            act(LingerZero).runtime("nginx").client(),
            Some("linger"),
        ),
        (
            "haproxy_linger_client",
            act(LingerZero).runtime("haproxy").client(),
            act(LingerZero).runtime("haproxy"),
            Some("linger"),
        ),
        (
            "haproxy_linger_server",
            act(LingerZero).runtime("haproxy").server(),
            unread().runtime("haproxy").server(),
            None,
        ),
        ("node_linger", act(LingerZero).runtime("node"), act(LingerZero).runtime("bun"), Some("linger")),
        ("go_linger", act(LingerZero).runtime("go"), act(Disconnect).runtime("go"), Some("disconnect")),
        ("jvm_linger", act(LingerZero).runtime("jvm"), act(Linger2Timeout).runtime("jvm"), Some("linger2")),
        ("linger", act(LingerZero).unread(9, false), act(OutOfMemory), Some("memory")),
        ("late_server", late(DataAfterClose).server().segment(900), late(DataAfterClose).segment(900), Some("late")),
        ("late", late(NoSocket).client().segment(900), act(BadSegment), None),
        ("listener", act(ListenerClose), act(Clean), None),
        ("disconnect", act(Disconnect), act(Mptcp), None),
        ("linger2", act(Linger2Timeout), act(Unclassified), None),
        ("killed", act(AdminKill), act(ResetByPeer), None),
        ("memory", act(OutOfMemory), act(Unclassified), None),
        ("keepalive", act(KeepaliveTimeout), act(ResetByPeer), None),
        ("refused", act(ConnectionRefused), act(ResetByPeer), None),
    ]
}

fn found(case: &Case) -> Option<&'static str> {
    entry(&case.0, &mut Searched::default()).map(|entry| entry.name)
}

#[test]
fn every_entry_is_found_where_it_applies_and_only_there() {
    let mut tried = BTreeSet::new();
    for (name, fits, misses, whose) in cases() {
        assert_eq!(found(&fits), Some(name), "{:?}", fits.0);
        assert_eq!(found(&misses), whose, "resembles {name}: {:?}", misses.0);
        tried.insert(name);
    }
    let names: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ENTRIES.len(), "a name is used twice");
    assert_eq!(tried, names, "an entry without a case, or the other way round");
}

#[test]
fn advice_and_reference_belong_together() {
    let (name, fits, ..) = cases().swap_remove(7);
    let hint = of(&fits.0).unwrap();
    assert_eq!(name, "go_response_unread");
    assert!(hint.advice.contains("io.Copy(io.Discard, resp.Body)"), "{hint:?}");
    assert!(hint.reference.contains("Response.Body"), "{hint:?}");
}

#[test]
fn where_we_do_not_know_there_is_no_hint() {
    use Cause::*;
    for cause in [BadSegment, Mptcp, Unclassified, Clean, ResetByPeer] {
        for runtime in ["go", "node", "cpython", "jvm", "nginx"] {
            assert_eq!(found(&act(cause).runtime(runtime).client().unread(4_022, false)), None, "{cause}");
        }
    }
    // A close in a program of which nothing tells what it was reading.
    assert_eq!(found(&act(CloseUnread).unread(4_022, false).client()), None);
    assert_eq!(found(&act(CloseUnread).unread(4_022, false).server().runtime("rust")), None);
    assert_eq!(found(&go(&["main.main", "runtime.main"]).client()), None, "a Go program, but not net/http");
    // A process that had no part in it, or none at all.
    for cause in [DataAfterClose, DataAfterTimewait, NoSocket] {
        assert_eq!(found(&act(cause).process(|process| process.attribution = Attribution::Owner).segment(900)), None);
        let mut nobody = act(cause).segment(24);
        nobody.0.process = None;
        assert_eq!(found(&nobody), None, "{cause}");
    }
    let mut bare = Finding::of(CloseUnread, CauseSource::Predicted);
    assert!(of(&bare).is_none());
    bare.stack = Some(Stack { user: [Arc::default()].into(), ..Stack::default() });
    assert!(of(&bare).is_none(), "a frame without a symbol");
}

#[test]
fn what_is_remembered_of_stacks_is_what_is_found_in_them() {
    assert!(words::WORDS.list.len() <= 64, "a bit for each");
    let mut searched = Searched::default();
    for round in 0..3 {
        for (name, fits, resembles, other) in cases() {
            assert_eq!(entry(&fits.0, &mut searched).map(|entry| entry.name), Some(name), "round {round}");
            assert_eq!(entry(&resembles.0, &mut searched).map(|entry| entry.name), other, "round {round}");
        }
    }
}

#[test]
fn the_file_of_a_frame_tells_as_much_as_its_function() {
    let mut case = act(Cause::CloseUnread).runtime("node");
    let file = Some("node:internal/deps/undici/undici".to_owned());
    case.0.stack = Some(Stack { user: [Frame { file, ..Frame::default() }.into()].into(), ..Stack::default() });
    assert_eq!(found(&case), Some("node_fetch"));
}

#[test]
fn advice_is_a_sentence_or_two_and_says_where_to_read_on() {
    for entry in ENTRIES {
        let name = entry.name;
        assert!(entry.advice.len() <= 240, "{name} has {} bytes", entry.advice.len());
        assert!(entry.advice.ends_with('.') && !entry.advice.contains("  "), "{name}");
        let sentences = entry.advice.split_inclusive(". ").count();
        assert!((1..=2).contains(&sentences), "{name} has {sentences} sentences");
        assert!(entry.reference.len() > 8 && !entry.reference.contains("://"), "{name}: in words");
        assert!(!entry.causes.is_empty(), "{name}");
    }
}
