//! What systemd is told: a socket of the test in its place.

use std::os::unix::net::UnixDatagram;

use conn_observer_tests::abort;
use conn_observer_tests::binary;
use conn_observer_tests::deadline::DEADLINE;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "sinks",
        [PrivateNetns, Bpf],
        [
            systemd_is_told_of_readiness_status_life_and_end,
            systemd_is_told_of_a_reload_whether_it_succeeds_or_not,
            a_systemd_that_is_deaf_holds_nothing_up,
        ]
    );
}

/// A socket in systemd's place.
struct Manager {
    folder: Folder,
    socket: UnixDatagram,
}

impl Manager {
    fn listen() -> Self {
        let folder = Folder::new("notify");
        let socket = UnixDatagram::bind(folder.path().join("socket")).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { folder, socket }
    }

    /// The observer as a service whose watchdog wants to hear of it every 200 ms.
    fn start(&self, arguments: &[&str]) -> Observer {
        let mut command = binary::command(arguments);
        command.env("NOTIFY_SOCKET", self.folder.path().join("socket")).env("WATCHDOG_USEC", "200000");
        Observer::spawn(command)
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut buffer = [0; 1024];
        let count = self.socket.recv(&mut buffer).expect("a message from the service");
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    /// The next one that comes by itself neither now and then nor ten times a second.
    fn hear_of_change(&self) -> String {
        loop {
            let message = self.hear();
            if message != "WATCHDOG=1\n" && !message.starts_with("STATUS=") {
                return message;
            }
        }
    }
}

fn systemd_is_told_of_readiness_status_life_and_end() {
    Netns::run(|namespace| {
        let systemd = Manager::listen();
        let mut observer = systemd.start(&["--netns", &namespace.inode().to_string()]);
        assert_eq!(systemd.hear(), "READY=1\n");
        let act = abort::fence();
        observer.expect("close_unread", &act);
        let mut told = Vec::new();
        // The peer of the act was reset, and is told of, too.
        while !told.iter().any(|message: &String| message.starts_with("STATUS=findings told: 2;")) {
            told.push(systemd.hear());
        }
        while told.iter().rev().take_while(|message| *message == "WATCHDOG=1\n").count() < 3 {
            told.push(systemd.hear());
        }
        // No status comes twice.
        let mut statuses: Vec<_> = told.iter().filter(|message| *message != "WATCHDOG=1\n").collect();
        let all = statuses.len();
        statuses.dedup();
        assert_eq!(statuses.len(), all, "{told:?}");
        assert!(statuses.iter().all(|status| status.ends_with("lost: 0 by the ring, 0 by sinks\n")), "{told:?}");
        observer.stop();
        assert_eq!(systemd.hear_of_change(), "STOPPING=1\n");
        systemd.socket.set_nonblocking(true).unwrap();
        assert!(systemd.socket.recv(&mut [0; 1]).is_err(), "nothing after the end");
    });
}

fn systemd_is_told_of_a_reload_whether_it_succeeds_or_not() {
    Netns::run(|namespace| {
        let systemd = Manager::listen();
        let filters = format!("[filters]\nnetns = [{}]\n", namespace.inode());
        let path = systemd.folder.write("config.toml", &filters);
        let observer = systemd.start(&["--config", path.to_str().unwrap()]);
        assert_eq!(systemd.hear(), "READY=1\n");
        for text in [&filters, "no configuration"] {
            systemd.folder.write("config.toml", text);
            observer.signal(Signal::HUP);
            let reloading = systemd.hear_of_change();
            let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
            assert!(time.trim_end().parse::<u64>().is_ok(), "{reloading}");
            assert_eq!(systemd.hear_of_change(), "READY=1\n");
        }
        observer.stop();
        assert_eq!(systemd.hear_of_change(), "STOPPING=1\n");
    });
}

fn a_systemd_that_is_deaf_holds_nothing_up() {
    Netns::run(|namespace| {
        let systemd = Manager::listen();
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_nonblocking(true).unwrap();
        while filler.send_to(b"X=1\n", systemd.folder.path().join("socket")).is_ok() {}
        let mut observer = systemd.start(&["--netns", &namespace.inode().to_string()]);
        for _ in 0..20 {
            let act = abort::fence();
            observer.expect("close_unread", &act);
        }
        observer.stop();
    });
}
