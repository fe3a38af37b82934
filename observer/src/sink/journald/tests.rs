use std::{
    collections::BTreeSet,
    fs,
    io::{IoSliceMut, Read as _},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::fcntl_get_seals,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};

use super::*;
use crate::sink::example::{close, loss, losses};

/// A journal that only listens.
struct Journal {
    path: PathBuf,
    socket: UnixDatagram,
}

impl Journal {
    fn listen(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("conn-observer-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { path, socket }
    }

    fn sink(&self) -> Journald {
        let path = self.path.display().to_string();
        Journald::open(&toml::from_str(&format!("socket = {path:?}")).unwrap()).unwrap()
    }

    /// The next datagram, and the file that came with it.
    fn take(&self) -> (Vec<u8>, Option<OwnedFd>) {
        let mut bytes = vec![0; 1 << 20];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(&self.socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let file = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        bytes.truncate(received.bytes);
        (bytes, file)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn entry(event: &Event, line: &str) -> Vec<u8> {
    let mut entry = Vec::new();
    write(event, line.as_bytes(), &mut entry);
    entry
}

#[test]
fn a_finding_is_an_entry_with_its_fields() {
    let expected = "MESSAGE=told\nPRIORITY=3\nSYSLOG_IDENTIFIER=conn-observer\n\
                    MESSAGE_ID=2131d21fdd714383923e3c85aca9adc1\nCONN_OBSERVER_TYPE=close\n\
                    CONN_OBSERVER_CAUSE=close_unread\nCONN_OBSERVER_SEVERITY=harmful\nOBJECT_PID=4242\n\
                    CONN_OBSERVER_COMM=curl\nCONN_OBSERVER_PEER=[fd00::2]:443\nCONN_OBSERVER_EVENT={\"a\":1}\n";
    assert_eq!(String::from_utf8(entry(&close(7, "curl"), "{\"a\":1}")).unwrap(), expected);
}

#[test]
fn what_is_not_known_is_absent() {
    let expected = "MESSAGE=told\nPRIORITY=4\nSYSLOG_IDENTIFIER=conn-observer\n\
                    MESSAGE_ID=443e9782435a4f3a82f4bb377418ec3e\nCONN_OBSERVER_TYPE=loss\nCONN_OBSERVER_EVENT={}\n";
    assert_eq!(String::from_utf8(entry(&loss(7, 1), "{}")).unwrap(), expected);
}

#[test]
fn kinds_of_entries_are_documented_and_differ() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, page) = (include_str!("../journald.rs"), fs::read_to_string(folder.join("../docs/sinks.md")).unwrap());
    let ids = source.lines().filter_map(|line| line.split_once("(_) => \"")?.1.strip_suffix("\","));
    let ids: BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 9);
    for id in ids {
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(page.contains(&format!("`{id}` |\n")), "{id}");
    }
}

#[test]
fn a_name_with_line_ends_makes_no_fields_of_its_own() {
    let entry = entry(&close(7, "a\nPRIORITY=0"), "{}");
    let expected = b"CONN_OBSERVER_COMM\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nCONN_OBSERVER_PEER=";
    assert!(entry.windows(expected.len()).any(|part| part == expected), "{}", String::from_utf8_lossy(&entry));
}

#[test]
fn an_event_is_a_datagram() {
    let journal = Journal::listen("datagrams");
    let delivery = losses(0..3, 10);
    journal.sink().deliver(&delivery, 1).unwrap();
    for position in [1, 2] {
        let (bytes, file) = journal.take();
        let mut expected = Vec::new();
        write(&delivery.events()[position], delivery.json().line(position), &mut expected);
        assert_eq!(bytes, expected);
        assert!(file.is_none());
    }
}

#[test]
fn what_is_too_large_for_a_datagram_is_a_sealed_file() {
    let journal = Journal::listen("files");
    // Beyond the send buffer that any of our machines grants.
    let delivery = losses(0..1, 20 << 20);
    journal.sink().deliver(&delivery, 0).unwrap();
    let (bytes, file) = journal.take();
    let mut file = File::from(file.unwrap());
    assert!(bytes.is_empty());
    assert_eq!(
        fcntl_get_seals(&file).unwrap(),
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE
    );
    let (mut expected, mut entry) = (Vec::new(), Vec::new());
    write(&delivery.events()[0], delivery.json().line(0), &mut expected);
    // The position in the file is shared with the sender.
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut entry).unwrap();
    assert!(entry == expected);
}

#[test]
fn a_journal_that_was_away_is_found_again() {
    let journal = Journal::listen("away");
    let mut sink = journal.sink();
    let path = journal.path.clone();
    drop(journal);
    let delivery = losses(0..2, 10);
    let stop = sink.deliver(&delivery, 1).unwrap_err();
    assert_eq!((stop.next, stop.refused), (1, 0));
    let told = format!("{:#}", stop.error);
    assert!(told.contains(&path.display().to_string()) && told.contains("is systemd-journald running?"), "{told}");
    let journal = Journal::listen("away");
    sink.deliver(&delivery, 1).unwrap();
    assert!(!journal.take().0.is_empty());
}

#[test]
fn a_path_that_no_socket_can_have_is_refused() {
    let settings = toml::from_str(&format!("socket = '/{}'", "x".repeat(108))).unwrap();
    let told = format!("{:#}", Journald::open(&settings).err().unwrap());
    assert!(told.contains("at most 107 bytes"), "{told}");
}
