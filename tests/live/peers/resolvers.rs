//! Names as different resolvers ask for them: the C library's for Python, c-ares for Node, Go's own. A real server
//! answers (dnsmasq). And as containers ask, through address translation.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use conn_observer_tests::actor::Actor;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Cgroup, Etc as PrivateEtc, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::nameserver::NameServer;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::{Peer, by_peer};
use conn_observer_tests::queue;

use super::{go, scripts};
use crate::core::names::{PEER, ZONE, assert_named, closes, listen, observer, place};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    let needs = [PrivateNetns, Bpf, PrivateEtc, Cgroup, Sources, Tool("dnsmasq")];
    let with = |interpreter| [&needs[..], &[Tool(interpreter)]].concat();
    add!(suite, "peers", with("python3"), [the_c_librarys_resolver_names_the_peer,]);
    add!(suite, "peers", with("node"), [c_ares_names_the_peer,]);
    add!(suite, "peers", with("go"), [gos_resolver_names_the_peer,]);
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, PrivateEtc, Cgroup, Tool("nft")],
        [a_resolver_behind_address_translation_names_the_peer,]
    );
}

fn the_c_librarys_resolver_names_the_peer() {
    assert_names_the_peer(|host, port| {
        let mut command = scripts::program("python3", "python/close_unread.py");
        command.args(["client", host, port]);
        command
    });
}

fn c_ares_names_the_peer() {
    assert_names_the_peer(|host, port| {
        let mut command = scripts::program("node", "node/resolve.js");
        command.args(["client", host, port]);
        command
    });
}

fn gos_resolver_names_the_peer() {
    assert_names_the_peer(|host, port| go::program(&["resolve", host, port]));
}

/// Two names of one address, one after the other: an alias, and the name that has the address.
fn assert_names_the_peer(program: fn(&str, &str) -> Command) {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _server = dnsmasq();
        let mut observer = observer(namespace);
        let listener = listen(PEER);
        let port = listener.local_addr().expect("an address").port().to_string();
        for host in ["www.example", "api.example"] {
            let event = program_closes(&mut observer, Peer::spawn(program(host, &port)), &listener);
            assert_named(&event, host, "dns");
        }
    });
}

/// Lets a program that connects to the listener close with a hundred bytes unread.
fn program_closes(observer: &mut Observer, mut program: Peer, listener: &TcpListener) -> Event {
    program.listen();
    let (mut ours, _) = listener.accept().expect("accept");
    ours.write_all(&[b'x'; 100]).expect("send");
    let act = by_peer(&program, &ours, 100);
    queue::wait_for(act.local.port(), act.peer.port(), 100);
    program.tell("close");
    assert_eq!(program.listen(), "closed");
    // Go closes by another thread than the first.
    let event = observer.next_event();
    assert!(event.is_at(&act), "{event:?}");
    event
}

/// A real name server, which knows two names.
fn dnsmasq() -> Peer {
    let mut command = Command::new(tool("dnsmasq").expect("dnsmasq"));
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local=/example/"]);
    command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--pid-file="]);
    command.arg(format!("--host-record=api.example,{PEER}")).arg("--cname=www.example,api.example");
    let server = Peer::spawn(quiet(command));
    // Port 53 as /proc shows it.
    until("dnsmasq to listen", || std::fs::read_to_string("/proc/thread-self/net/udp").unwrap().contains(":0035 "));
    server
}

fn quiet(mut command: Command) -> Command {
    command.stderr(Stdio::null());
    command
}

/// As in a container of Docker: the resolver's address leads to a server at another port, which its answers do not show.
fn a_resolver_behind_address_translation_names_the_peer() {
    const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
    Netns::run(|namespace| {
        let etc = place(namespace);
        etc.resolve_by(&[&RESOLVER.to_string()]);
        let rules = format!(
            "table ip nat {{ chain output {{ type nat hook output priority -100 ; \
             ip daddr {RESOLVER} udp dport 53 dnat to {RESOLVER}:5300; }} ; }}"
        );
        let status = Command::new(tool("nft").expect("nft")).arg(&rules).status().expect("nft");
        assert!(status.success(), "{rules}");
        let _server = NameServer::at(SocketAddr::new(RESOLVER.into(), 5300), ZONE);
        let mut observer = observer(namespace);
        let listener = listen(PEER);
        // The C library connects its sockets, others do not.
        let mut actor = Actor::spawn();
        assert_named(&closes(&mut observer, &mut actor, "api.example", &listener), "api.example", "dns");
        let mut actor = Actor::spawn();
        actor.play(&format!("ask {RESOLVER} other.example"));
        assert_named(&closes(&mut observer, &mut actor, &PEER.to_string(), &listener), "other.example", "dns");
    });
}
