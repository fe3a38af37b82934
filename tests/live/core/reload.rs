//! SIGHUP with a configuration file: other filters are in force from one moment to the next.

use conn_observer_tests::abort;
use conn_observer_tests::actor::Actor;
use conn_observer_tests::counters::Counters;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Pair, Side};
use rustix::process::Signal;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core",
        [PrivateNetns, Bpf],
        [
            a_hangup_puts_other_filters_in_force,
            every_filter_can_be_replaced,
            the_owner_of_an_older_connection_is_judged_by_the_new_filters,
            reloads_under_load_lose_nothing_and_repeat_nothing,
            a_bad_file_changes_nothing_and_is_told,
        ]
    );
}

/// An observer of a namespace that goes by a file.
struct Configured {
    observer: Observer,
    folder: Folder,
    netns: u64,
}

impl Configured {
    fn start(namespace: &Netns, filters: &str) -> Self {
        let folder = Folder::new("reload");
        let netns = namespace.inode();
        let path = folder.write("config.toml", &file(netns, filters));
        let observer = Observer::start(&["--config", path.to_str().unwrap()]);
        Self { observer, folder, netns }
    }

    /// Writes the file anew and sends the signal.
    fn hang_up(&self, filters: &str) {
        self.folder.write("config.toml", &file(self.netns, filters));
        self.observer.signal(Signal::HUP);
    }

    /// The same, and waits until it is in force.
    fn reload(&mut self, filters: &str) {
        self.hang_up(filters);
        self.observer.next_of_kind("reloaded");
    }
}

fn file(netns: u64, filters: &str) -> String {
    format!("[filters]\nnetns = [{netns}]\n{filters}\n")
}

fn a_hangup_puts_other_filters_in_force() {
    Netns::run(|namespace| {
        let mut configured = Configured::start(namespace, "cause = [\"close_unread\"]");
        abort::linger_zero(Family::V4, Side::Client);
        configured.observer.expect("close_unread", &abort::fence());
        configured.reload("cause = [\"linger_zero\"]");
        abort::fence();
        let act = abort::linger_zero(Family::V4, Side::Client);
        configured.observer.expect("linger_zero", &act);
        configured.reload("");
        let act = abort::unread(Family::V4, Side::Client, 3);
        configured.observer.expect("close_unread", &act);
        let act = abort::linger_zero(Family::V4, Side::Client);
        configured.observer.expect("linger_zero", &act);
        configured.observer.stop();
    });
}

fn every_filter_can_be_replaced() {
    Netns::run(|namespace| {
        let mut actors = [Actor::spawn(), Actor::spawn()];
        let pids = actors.each_ref().map(Actor::pid);
        let mut configured = Configured::start(namespace, "port = [1]\nuid = [4242]");
        for (round, turn) in [0, 1, 0].into_iter().enumerate() {
            let filters = format!("pid = [{}]\npeer = [\"127.0.0.0/8\"]\nmin-unread = {}", pids[turn], 50 + round);
            configured.reload(&filters);
            actors[1 - turn].play("unread 100");
            actors[turn].play("unread 49");
            let act = actors[turn].play_one("unread 100");
            configured.observer.expect("close_unread", &act);
        }
        configured.reload("peer = [\"10.0.0.0/8\"]");
        abort::fence();
        configured.reload("peer = [\"10.0.0.0/8\", \"127.0.0.0/9\"]\ncomm = [\"nobody\"]");
        abort::fence();
        configured.reload("port = [1]");
        abort::fence();
        let pair = Pair::connect(Family::V4);
        let port = pair.client.local_addr().unwrap().port();
        configured.reload(&format!("port = [{port}]"));
        abort::fence();
        let act = abort::unread_on(pair, Side::Client, 9);
        configured.observer.expect("close_unread", &act);
        configured.observer.stop();
    });
}

fn the_owner_of_an_older_connection_is_judged_by_the_new_filters() {
    Netns::run(|namespace| {
        let mut actors = [Actor::spawn(), Actor::spawn()];
        let pids = actors.each_ref().map(Actor::pid);
        let mut configured = Configured::start(namespace, &format!("pid = [{}]", pids[0]));
        // Both close in order while the first one is observed; the late data comes when the second one is.
        let acts = actors.each_mut().map(|actor| actor.play_one("close-early"));
        configured.reload(&format!("pid = [{}]", pids[1]));
        for actor in &mut actors {
            actor.play("send-late");
        }
        configured.observer.expect("data_after_close", &acts[1]);
        configured.observer.stop();
    });
}

fn reloads_under_load_lose_nothing_and_repeat_nothing() {
    Netns::run(|namespace| {
        let configured = Configured::start(namespace, "");
        let before = Counters::read();
        for round in 0..30 {
            // Each of them lets every one of these pass.
            configured
                .hang_up(["min-unread = 1", "peer = [\"127.0.0.1/32\"]", "cause = [\"close_unread\"]"][round % 3]);
            for _ in 0..20 {
                abort::fence();
            }
        }
        let made = Counters::read().since(&before).tcp_ext("TCPAbortOnClose");
        let report = configured.observer.stop();
        assert_eq!(made, 600);
        assert_eq!(report.count("close_unread"), made, "each once");
        assert!(!report.of_kind("reloaded").is_empty(), "it was reloaded meanwhile");
        assert_eq!(report.stopped().number("lost"), 0);
    });
}

fn a_bad_file_changes_nothing_and_is_told() {
    Netns::run(|namespace| {
        let mut configured = Configured::start(namespace, "cause = [\"close_unread\"]");
        configured.hang_up("cause = [\"linger_zreo\"]");
        configured.observer.wait_to_hear("not reloaded, all is as before");
        configured.observer.wait_to_hear("config.toml:3:9: invalid value 'linger_zreo'");
        abort::linger_zero(Family::V4, Side::Client);
        configured.observer.expect("close_unread", &abort::fence());
        configured.reload("cause = [\"linger_zero\"]\n[kernel]\nring-size = 65536");
        configured.observer.wait_to_hear("needs a restart: ring-size");
        configured.observer.stop();
    });
}
