use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
};

use super::*;

const SECOND: u64 = 1_000_000_000;
const LONG: Duration = Duration::from_secs(30);
const HOST_NETNS: u32 = 1;
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A machine as a test wants it: the hosts file of each root, with its number of changes, and addresses.
#[derive(Clone, Default)]
pub(in crate::names) struct Machine {
    files: Arc<Mutex<HashMap<Root, (FileState, String)>>>,
    addresses: Arc<Mutex<HashSet<IpAddr>>>,
}

impl Machine {
    /// Gives a root a file; roots of the same inode have the same file.
    pub(in crate::names) fn hosts(&self, root: Option<ProcessId>, inode: u64, change: i64, text: &str) {
        let root = root.map_or(Root::Host, Root::Process);
        let file = (FileState::numbered(inode, change), text.to_owned());
        self.files.lock().unwrap().insert(root, file);
    }

    pub(in crate::names) fn ends(&self, process: ProcessId) {
        self.files.lock().unwrap().remove(&Root::Process(process));
    }

    pub(in crate::names) fn has(&self, address: IpAddr) {
        self.addresses.lock().unwrap().insert(address);
    }

    /// What is seen of it.
    pub(in crate::names) fn surroundings(&self) -> Surroundings {
        Surroundings::with(Some(HOST_NETNS), self.look()).unwrap()
    }

    fn look(&self) -> impl FnMut(Look) -> Seen + Send + 'static {
        let machine = self.clone();
        move |look| match look {
            Look::Addresses => Seen::Addresses(Some(machine.addresses.lock().unwrap().clone())),
            Look::Hosts { root, .. } => {
                let file = machine.files.lock().unwrap().get(&root).cloned();
                let found = file.map(|(state, text)| (state, Some(Table::parse(text.as_bytes()))));
                Seen::Hosts { root, found }
            }
        }
    }
}

fn process(tgid: u32) -> ProcessId {
    ProcessId::of(tgid, SECOND).unwrap()
}

fn soon() -> Instant {
    Instant::now() + LONG
}

#[test]
fn the_hosts_file_is_that_of_the_process() {
    let machine = Machine::default();
    machine.hosts(None, 1, 0, "192.0.2.1 host\n");
    machine.hosts(Some(process(1)), 2, 0, "192.0.2.1 own\n");
    machine.hosts(Some(process(2)), 3, 0, "192.0.2.2 other\n");
    let mut seen = machine.surroundings();
    let mut name = |tgid, netns| seen.hosts_name(ADDRESS, Some(process(tgid)), Some(netns), SECOND, soon());
    assert_eq!(name(1, 10).as_deref(), Some("own"));
    assert_eq!(name(2, 10), None, "its file has no such line, and the host's is none of its business");
    assert_eq!(name(3, HOST_NETNS).as_deref(), Some("host"), "it is gone, but was in the host's namespace");
    assert_eq!(name(4, 20), None, "it is gone, and so is what was in its namespace");
}

#[test]
fn a_process_that_is_gone_had_the_file_of_its_namespace() {
    let machine = Machine::default();
    machine.hosts(None, 1, 0, "192.0.2.1 host\n");
    machine.hosts(Some(process(1)), 2, 0, "192.0.2.1 own\n");
    let mut seen = machine.surroundings();
    assert!(seen.hosts_name(ADDRESS, Some(process(1)), Some(10), SECOND, soon()).is_some());
    machine.ends(process(1));
    let name = seen.hosts_name(ADDRESS, Some(process(9)), Some(10), 9 * SECOND, soon());
    assert_eq!(name.as_deref(), Some("own"));
}

#[test]
fn a_change_is_seen_after_a_second() {
    let machine = Machine::default();
    machine.hosts(Some(process(1)), 2, 0, "192.0.2.1 before\n");
    let mut seen = machine.surroundings();
    let mut name = |now_ns| seen.hosts_name(ADDRESS, Some(process(1)), None, now_ns, soon());
    assert_eq!(name(SECOND).as_deref(), Some("before"));
    machine.hosts(Some(process(1)), 2, 1, "192.0.2.1 after\n");
    assert_eq!(name(2 * SECOND - 1).as_deref(), Some("before"));
    assert_eq!(name(2 * SECOND).as_deref(), Some("after"));
    assert_eq!(seen.counts().looks, 2);
}

#[test]
fn own_addresses_are_looked_up_now_and_then() {
    let machine = Machine::default();
    let mut seen = machine.surroundings();
    assert!(!seen.is_own(ADDRESS, SECOND, soon()));
    machine.has(ADDRESS);
    let fresh_ns = u64::try_from(ADDRESSES_FRESH.as_nanos()).unwrap();
    assert!(!seen.is_own(ADDRESS, SECOND + fresh_ns - 1, soon()));
    assert!(seen.is_own(ADDRESS, SECOND + fresh_ns, soon()));
}

#[test]
fn a_file_system_that_never_answers_costs_the_patience_once() {
    let (release, hold) = mpsc::channel::<()>();
    let stuck = move |look| {
        let _ = hold.recv();
        match look {
            Look::Addresses => Seen::Addresses(None),
            Look::Hosts { root, .. } => {
                let file = (FileState::numbered(1, 0), Some(Table::parse(b"192.0.2.1 late\n")));
                Seen::Hosts { root, found: Some(file) }
            }
        }
    };
    let mut seen = Surroundings::with(None, stuck).unwrap();
    let patience = Duration::from_millis(50);
    let start = Instant::now();
    for round in 0..1_000 {
        let deadline = Instant::now() + patience;
        assert_eq!(seen.hosts_name(ADDRESS, Some(process(1)), Some(9), round * SECOND, deadline), None);
    }
    assert!(start.elapsed() >= patience);
    assert!(start.elapsed() < 100 * patience, "only the first look was waited for: {:?}", start.elapsed());
    let counts = seen.counts();
    assert_eq!(counts.looks + counts.dropped, 1_000);
    assert_eq!(counts.late, counts.looks);
    assert!(counts.looks <= QUEUE as u64 + 1, "{counts:?}");
    drop(release);
    let end = soon();
    let mut name = || seen.hosts_name(ADDRESS, Some(process(1)), Some(9), 2_000 * SECOND, Instant::now());
    while name().is_none() {
        assert!(Instant::now() < end);
    }
    assert_eq!(name().as_deref(), Some("late"), "when it answers after all, the answer counts");
}

/// The worker's own side, on this machine.
#[test]
fn content_is_told_once_and_again_when_it_is_asked_for() {
    let mut look = look();
    let ourselves = ProcessId::of(std::process::id(), 0).unwrap();
    let mut content = |again| match look(Look::Hosts { root: Root::Process(ourselves), again }) {
        Seen::Hosts { found: Some((_, table)), .. } => table.is_some(),
        other => panic!("{other:?}"),
    };
    assert_eq!([content(false), content(false), content(true), content(false)], [true, false, true, false]);
    assert!(matches!(look(Look::Addresses), Seen::Addresses(Some(found)) if !found.is_empty()));
}
