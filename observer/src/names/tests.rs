use observer_ebpf::{Datagram, Direction};
use zerocopy::IntoBytes as _;

use super::{
    dns::draft::{A, Draft},
    ptr::tests::answering,
    surroundings::tests::Machine,
    *,
};

const SECOND: u64 = 1_000_000_000;
const NETNS: u32 = 10;
const ELSEWHERE: u32 = 20;

fn process(tgid: u32) -> ProcessId {
    ProcessId::of(tgid, SECOND).unwrap()
}

fn peer(address: &str) -> Peer {
    Peer {
        address: address.parse().unwrap(),
        local: None,
        process: Some(process(1)),
        netns: Some(NETNS),
        since_ns: 100 * SECOND,
    }
}

fn names(machine: &Machine) -> Names {
    Names {
        host: "this-host".into(),
        surroundings: machine.surroundings(),
        dns: Some(Dns::default()),
        ptr: Some(answering("ptr.example")),
    }
}

fn hears(names: &mut Names, tgid: u32, netns: u32, name: &str, address: &str) {
    let tell = |names: &mut Names, direction, draft: Draft| {
        let bytes = u32::try_from(draft.bytes.len()).unwrap();
        let head = Datagram { time_ns: 99 * SECOND, socket: 1, start_ns: SECOND, tgid, netns, direction, bytes };
        names.hear(&[head.as_bytes(), &draft.bytes].concat());
    };
    tell(names, Direction::ASKED, Draft::query(1, name, A));
    tell(names, Direction::ANSWERED, Draft::answer(1, name, A).address(name, 60, address));
}

fn name(names: &mut Names, peer: &Peer) -> Option<(Arc<str>, NameSource)> {
    names.name_of(peer, 100 * SECOND, Duration::from_secs(30))
}

fn known(text: &str, source: NameSource) -> Option<(Arc<str>, NameSource)> {
    Some((text.into(), source))
}

#[test]
fn each_source_goes_before_those_that_know_less() {
    let machine = Machine::default();
    machine.hosts(Some(process(1)), 1, 0, "");
    let mut names = names(&machine);
    let peer = peer("192.0.2.1");
    assert_eq!(name(&mut names, &peer), known("ptr.example", NameSource::Ptr));
    hears(&mut names, 3, ELSEWHERE, "elsewhere.example", "192.0.2.1");
    assert_eq!(name(&mut names, &peer), known("elsewhere.example", NameSource::Dns));
    let own = Peer { local: Some(peer.address), ..peer };
    assert_eq!(name(&mut names, &own), known("this-host", NameSource::Local));
    machine.hosts(Some(process(4)), 2, 0, "192.0.2.1 hosts.example");
    let with_file = Peer { process: Some(process(4)), ..own };
    assert_eq!(name(&mut names, &with_file), known("hosts.example", NameSource::Hosts));
    hears(&mut names, 2, NETNS, "namespace.example", "192.0.2.1");
    assert_eq!(name(&mut names, &with_file), known("namespace.example", NameSource::Dns));
    hears(&mut names, 4, NETNS, "own.example", "192.0.2.1");
    hears(&mut names, 2, NETNS, "namespace.example", "192.0.2.1");
    assert_eq!(name(&mut names, &with_file), known("own.example", NameSource::Dns));
}

#[test]
fn loopback_is_not_what_strangers_were_answered() {
    let machine = Machine::default();
    let mut names = names(&machine);
    hears(&mut names, 2, NETNS, "unwanted.example", "127.0.0.1");
    assert_eq!(name(&mut names, &peer("127.0.0.1")), known("this-host", NameSource::Local));
    assert_eq!(name(&mut names, &peer("::1")), known("this-host", NameSource::Local));
    hears(&mut names, 1, NETNS, "db.example", "127.0.0.1");
    assert_eq!(name(&mut names, &peer("127.0.0.1")), known("db.example", NameSource::Dns));
}

#[test]
fn the_time_of_the_connection_counts_not_that_of_the_event() {
    let machine = Machine::default();
    let mut names = Names { ptr: None, ..names(&machine) };
    hears(&mut names, 1, NETNS, "own.example", "192.0.2.1");
    let peer = peer("192.0.2.1");
    let patience = Duration::from_secs(30);
    assert_eq!(names.name_of(&peer, 9_000 * SECOND, patience), known("own.example", NameSource::Dns));
    let later = Peer { since_ns: 9_000 * SECOND, ..peer };
    assert_eq!(names.name_of(&later, 9_000 * SECOND, patience), None, "its time to live is over");
}

#[test]
fn own_addresses_are_this_host() {
    let machine = Machine::default();
    machine.has("192.0.2.7".parse().unwrap());
    let mut names = names(&machine);
    assert_eq!(name(&mut names, &peer("192.0.2.7")), known("this-host", NameSource::Local));
}

#[test]
fn what_is_off_is_neither_used_nor_counted() {
    let mut names = Names { dns: None, ptr: None, ..names(&Machine::default()) };
    hears(&mut names, 1, NETNS, "own.example", "192.0.2.1");
    assert_eq!(name(&mut names, &peer("192.0.2.1")), None);
    assert_eq!((names.counts().dns, names.counts().ptr), (None, None));
}
