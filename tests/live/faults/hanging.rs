//! A receiver that accepts and never reads: it costs nobody else an event, its own losses are counted, memory stays
//! bounded, and the end is not put off for it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use conn_observer_tests::daemon::Daemon;
use conn_observer_tests::deadline::until;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::status;

use crate::suite::{Suite, add};

/// What the observer may grow by while it runs: far less than the hanging receiver's events take.
const GROWTH: u64 = 12 << 20;

/// Closes at a time.
const BURST: usize = 400;

/// Sinks have five seconds at the end; the rest is for machines that are busy.
const LONGEST_END: Duration = Duration::from_secs(15);

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "faults", [PrivateNetns, Bpf], [a_receiver_that_never_reads_costs_nobody_else_an_event]);
}

fn a_receiver_that_never_reads_costs_nobody_else_an_event() {
    Netns::run(|namespace| {
        namespace.small_send_buffers();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let before = namespace.counters();
        // Far longer than the observer waits at its end.
        let sink = format!("syslog,address=tcp:{address},timeout=10m,queue=256KiB");
        let mut daemon = Daemon::within(namespace, Folder::new("hanging"), "", &["--sink", &sink]);
        let mut hanging = None;
        until("the observer to connect", || {
            hanging = listener.accept().ok();
            hanging.is_some()
        });
        // All that is made once for all is there now.
        daemon.burst(BURST);
        let begun = daemon.resident();
        let most = status::peak_during(daemon.pid(), || {
            while daemon.file().metadata().unwrap().len() < 3 * GROWTH {
                daemon.burst(BURST);
            }
        });
        assert!(most < begun + GROWTH, "it grew from {begun} to {most} bytes");
        let closes = namespace.counters().since(&before).tcp_ext("TCPAbortOnClose");
        let end = Instant::now();
        let told = daemon.stop();
        assert!(end.elapsed() < LONGEST_END, "it took {:?} to end", end.elapsed());
        assert_eq!((told.count("close_unread"), told.stopped.number("lost")), (closes, 0), "{:?}", told.stopped);
        let (syslog, filed) = (told.stopped.sink("syslog:"), told.stopped.sink("file:"));
        assert_eq!((&filed["lost"], &filed["retries"]), (&0.into(), &0.into()), "{filed}");
        let [accepted, delivered, lost, waiting] =
            ["accepted", "delivered", "lost", "waiting"].map(|name| syslog[name].as_u64().unwrap());
        assert_eq!(accepted, delivered + lost + waiting, "{syslog}");
        assert!(lost > accepted / 2 && waiting > 0, "{syslog}");
        assert!(told.losses.iter().all(|loss| loss.text("sink").starts_with("syslog:")), "{:?}", told.losses);
        // Some may have been lost since it was told.
        let declared: u64 = told.losses.iter().map(|loss| loss.number("lost")).sum();
        assert!((1..=lost).contains(&declared), "{declared} of {syslog}");
    });
}
