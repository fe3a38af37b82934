//! The names of peers: what a process has asked its name server for, seen on its way. The resolver is the C library's.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Instant;

use conn_observer_tests::actor::Actor;
use conn_observer_tests::deadline::DEADLINE;
use conn_observer_tests::etc::Etc;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Cgroup, Etc as PrivateEtc, Netns as PrivateNetns, Veth};
use conn_observer_tests::nameserver::{Has, NameServer, Zone};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::queue;
use conn_observer_tests::veth::{FAR, Far};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::once::names",
        [PrivateNetns, Bpf, PrivateEtc, Cgroup],
        [
            the_name_that_was_asked_is_the_peers,
            of_two_names_for_one_address_each_process_has_its_own,
            queries_through_unconnected_sockets_are_seen,
            a_socket_that_is_older_than_the_observer_is_known_by_its_next_query,
            observers_side_by_side_hear_the_same,
        ]
    );
    add!(
        suite,
        "core::once::names",
        [PrivateNetns, Bpf, PrivateEtc, Cgroup, Veth],
        [answers_of_another_namespace_are_better_than_nothing,]
    );
    add!(suite, "core::once::names", [PrivateNetns, Bpf, PrivateEtc, Veth], [a_reverse_lookup_names_the_peer_at_last,]);
    add!(
        suite,
        "core::once::names",
        [PrivateNetns, Bpf, PrivateEtc],
        [
            a_process_in_another_mount_namespace_has_its_own_hosts_file,
            without_control_groups_dns_is_a_declared_limit,
            what_nobody_names_is_this_host_or_nameless,
        ]
    );
}

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

pub(crate) const ZONE: Zone = &[
    ("api.example", Has::V4(PEER)),
    ("www.example", Has::Alias("cdn.example")),
    ("cdn.example", Has::Alias("edge.example")),
    ("edge.example", Has::V4(PEER)),
    ("six.example", Has::V6(PEER6)),
    ("other.example", Has::V4(PEER)),
    ("far.example", Has::V4(FAR)),
    ("2.0.98.10.in-addr.arpa", Has::Host("Reverse.example")),
];

/// A network namespace with the peers' addresses, and `/etc` of its own.
pub(crate) fn place(namespace: &Netns) -> Etc {
    namespace.add_ipv4(PEER);
    namespace.add_ipv6(PEER6);
    let etc = Etc::private().expect("private mounts");
    etc.resolve_by(&[&SERVER.to_string()]);
    etc
}

/// The observer of a namespace, with `--dns`. It says that it sees DNS, where it can.
pub(crate) fn observer(namespace: &Netns) -> Observer {
    observer_with(namespace, &[])
}

/// The same with more arguments.
pub(crate) fn observer_with(namespace: &Netns, arguments: &[&str]) -> Observer {
    let observer = Observer::within(namespace, &[&["--dns"], arguments].concat());
    let attached = observer.started().at("hooks.attached").to_string();
    assert!(attached.contains("cgroup_skb/ingress"), "{:?}", observer.started());
    observer
}

/// Lets the actor connect to a host and close with a hundred bytes unread; what the observer says of it.
pub(crate) fn closes(observer: &mut Observer, actor: &mut Actor, host: &str, listener: &TcpListener) -> Event {
    let port = listener.local_addr().expect("an address").port();
    let mut act = actor.play_one(&format!("connect-name {host} {port}"));
    act.unread = 100;
    let (mut ours, _) = listener.accept().expect("accept");
    ours.write_all(&[b'x'; 100]).expect("send");
    queue::wait_for(act.local.port(), act.peer.port(), 100);
    actor.play("close");
    observer.expect("close_unread", &act)
}

/// The same until the peer has this name, which a slow machine may not find in time for the first event. No DNS answer
/// may name it meanwhile.
pub(crate) fn assert_named_at_last(
    observer: &mut Observer,
    actor: &mut Actor,
    host: impl ToString,
    listener: &TcpListener,
    (name, source): (&str, &str),
) {
    let end = Instant::now() + DEADLINE;
    loop {
        let event = closes(observer, actor, &host.to_string(), listener);
        if event.text("network.peer.name_source") == source {
            return assert_named(&event, name, source);
        }
        assert_ne!(event.text("network.peer.name_source"), "dns", "{event:?}");
        assert!(Instant::now() < end, "{event:?}");
    }
}

pub(crate) fn listen(address: impl Into<IpAddr>) -> TcpListener {
    TcpListener::bind(SocketAddr::new(address.into(), 0)).expect("listen")
}

#[track_caller]
pub(crate) fn assert_named(event: &Event, name: &str, source: &str) {
    let found = (event.text("network.peer.name"), event.text("network.peer.name_source"));
    assert_eq!(found, (name, source), "{event:?}");
}

fn the_name_that_was_asked_is_the_peers() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _server = NameServer::start(SERVER, ZONE);
        let mut observer = observer(namespace);
        let mut actor = Actor::spawn();
        let (four, six) = (listen(PEER), listen(PEER6));
        // The last one is the name that was asked, not the one that has the address.
        for (host, listener) in [("api.example", &four), ("six.example", &six), ("WWW.example", &four)] {
            let event = closes(&mut observer, &mut actor, host, listener);
            assert_named(&event, &host.to_lowercase(), "dns");
        }
        // The C library asks for both kinds of addresses. Other tests ask at the same time, and are heard too.
        let report = observer.stop();
        assert!(report.stopped().number("naming.dns.believed") >= 6, "{:?}", report.stopped());
        assert_eq!(report.stopped().number("naming.dns.lost"), 0);
    });
}

fn of_two_names_for_one_address_each_process_has_its_own() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _server = NameServer::start(SERVER, ZONE);
        let mut observer = observer(namespace);
        let (mut first, mut second, mut third) = (Actor::spawn(), Actor::spawn(), Actor::spawn());
        let listener = listen(PEER);
        let hosts = [(&mut first, "api.example"), (&mut second, "other.example")];
        for (actor, host) in hosts {
            assert_named(&closes(&mut observer, actor, host, &listener), host, "dns");
        }
        let address = PEER.to_string();
        // Both know the address now, and ask no more.
        assert_named(&closes(&mut observer, &mut first, &address, &listener), "api.example", "dns");
        assert_named(&closes(&mut observer, &mut second, &address, &listener), "other.example", "dns");
        // Who never asked is told what its namespace asked last.
        assert_named(&closes(&mut observer, &mut third, &address, &listener), "other.example", "dns");
    });
}

fn queries_through_unconnected_sockets_are_seen() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _servers = [NameServer::start(SERVER, ZONE), NameServer::start(Ipv6Addr::LOCALHOST, ZONE)];
        let mut observer = observer(namespace);
        let listener = listen(PEER);
        for (server, host) in [("127.0.0.1", "api.example"), ("::1", "other.example")] {
            let mut actor = Actor::spawn();
            actor.play(&format!("ask {server} {host}"));
            assert_named(&closes(&mut observer, &mut actor, &PEER.to_string(), &listener), host, "dns");
        }
    });
}

fn a_socket_that_is_older_than_the_observer_is_known_by_its_next_query() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _server = NameServer::start(SERVER, ZONE);
        let mut actor = Actor::spawn();
        actor.play("ask-by-one-socket 127.0.0.1 other.example");
        let mut observer = observer(namespace);
        actor.play("ask-by-one-socket 127.0.0.1 api.example");
        let event = closes(&mut observer, &mut actor, &PEER.to_string(), &listen(PEER));
        assert_named(&event, "api.example", "dns");
    });
}

fn answers_of_another_namespace_are_better_than_nothing() {
    Netns::run(|namespace| {
        let etc = Etc::private().expect("private mounts");
        etc.resolve_by(&[&SERVER.to_string()]);
        let mut observer = observer(namespace);
        let far = Far::connect().expect("a veth pair");
        let (listener, _server) = far.run(|_| (listen(FAR), NameServer::start(SERVER, ZONE)));
        let mut actor = Actor::spawn();
        let before = closes(&mut observer, &mut actor, &FAR.to_string(), &listener);
        assert_named(&before, "", "");
        far.run(|_| Actor::spawn()).play("ask 127.0.0.1 far.example");
        let after = closes(&mut observer, &mut actor, &FAR.to_string(), &listener);
        assert_named(&after, "far.example", "dns");
    });
}

fn observers_side_by_side_hear_the_same() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let _server = NameServer::start(SERVER, ZONE);
        let (mut first, mut second) = (observer(namespace), observer(namespace));
        let (mut actor, listener) = (Actor::spawn(), listen(PEER));
        let event = closes(&mut first, &mut actor, "api.example", &listener);
        assert_named(&event, "api.example", "dns");
        assert_named(&second.next_event(), "api.example", "dns");
        first.stop();
        assert_named(&closes(&mut second, &mut actor, "other.example", &listener), "other.example", "dns");
    });
}

fn a_process_in_another_mount_namespace_has_its_own_hosts_file() {
    Netns::run(|namespace| {
        namespace.add_ipv4(PEER);
        let mut observer = Observer::within(namespace, &[]);
        let outside = Etc::private().expect("private mounts");
        outside.resolve_by(&[]);
        let (mut actor, listener) = (Actor::spawn(), listen(PEER));
        assert_named_at_last(&mut observer, &mut actor, PEER, &listener, (&host_name(), "local"));
        outside.set("hosts", &format!("127.0.0.1 localhost\n{PEER} Container.example alias\n"));
        // A look at the file is good for a second.
        assert_named_at_last(&mut observer, &mut actor, "alias", &listener, ("container.example", "hosts"));
    });
}

fn a_reverse_lookup_names_the_peer_at_last() {
    Netns::run(|namespace| assert_reverse_lookup(namespace, &[]));
}

/// An observer with these arguments asks the resolver for the name of a peer, once.
pub(crate) fn assert_reverse_lookup(namespace: &Netns, arguments: &[&str]) {
    let etc = Etc::private().expect("private mounts");
    etc.resolve_by(&[&SERVER.to_string()]);
    // The observer looks up as the programs of this namespace do.
    let server = NameServer::start(SERVER, ZONE);
    let mut observer = Observer::within(namespace, &[&["--ptr"], arguments].concat());
    let far = Far::connect().expect("a veth pair");
    let listener = far.run(|_| listen(FAR));
    let mut actor = Actor::spawn();
    assert_named_at_last(&mut observer, &mut actor, FAR, &listener, ("reverse.example", "ptr"));
    closes(&mut observer, &mut actor, &FAR.to_string(), &listener);
    assert_eq!(server.asked(), 1, "once");
    let naming = observer.stop().stopped().at("naming.ptr").clone();
    assert_eq!((&naming["asked"], &naming["named"]), (&1.into(), &1.into()), "{naming}");
}

fn without_control_groups_dns_is_a_declared_limit() {
    Netns::run(|namespace| {
        let etc = place(namespace);
        etc.without_cgroup2();
        let observer = Observer::within(namespace, &["--dns"]);
        assert!(observer.declares_limit("no cgroup v2 tree is mounted"), "{:?}", observer.started());
        let report = observer.stop();
        assert_eq!(report.stopped().number("naming.dns.queries"), 0);
    });
}

fn what_nobody_names_is_this_host_or_nameless() {
    Netns::run(|namespace| {
        let _etc = place(namespace);
        let mut observer = Observer::within(namespace, &[]);
        let attached = observer.started().at("hooks.attached").to_string();
        assert!(!attached.contains("cgroup"), "nothing is attached that nobody asked for: {attached}");
        let mut actor = Actor::spawn();
        let localhost = Ipv4Addr::LOCALHOST;
        assert_named_at_last(&mut observer, &mut actor, localhost, &listen(localhost), ("localhost", "hosts"));
        let loopback = Ipv4Addr::new(127, 0, 0, 2);
        assert_named_at_last(&mut observer, &mut actor, loopback, &listen(loopback), (&host_name(), "local"));
    });
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
