//! OpenTelemetry logs, as a receiver gets them that is made of the official Python packages. A file beside them tells
//! what there was to be sent.

use std::collections::BTreeMap;
use std::env;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use conn_observer_tests::abort;
use conn_observer_tests::act::Act;
use conn_observer_tests::actor::script;
use conn_observer_tests::authority::Authority;
use conn_observer_tests::deadline::until;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, PythonModule, Sources, Tool};
use conn_observer_tests::folder::Folder;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::otlp::{Receiver, Record};
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::report::Report;
use conn_observer_tests::{run, tail};

use crate::suite::{Suite, add};

const PROTOCOLS: [&str; 2] = ["grpc", "http"];

pub(super) fn tests(suite: &mut Suite) {
    let needs = [PrivateNetns, Bpf, Sources, PythonModule("grpc"), PythonModule("opentelemetry")];
    add!(
        suite,
        "otlp",
        needs,
        [
            every_event_arrives_once_with_what_it_tells,
            a_receiver_that_was_killed_gets_what_it_missed,
            what_a_receiver_refuses_is_lost_and_counted,
            headers_say_who_sends,
        ]
    );
    add!(suite, "otlp", [&needs[..], &[Tool("openssl")]].concat(), [certificates_of_both_sides_are_checked,]);
    add!(
        suite,
        "otlp",
        [PrivateNetns, Bpf],
        [a_receiver_that_hangs_holds_nobody_else_up, settings_that_can_never_work_are_refused,]
    );
}

/// A file and a receiver, both of which get all events.
struct Sinks {
    folder: Folder,
    words: Vec<String>,
}

impl Sinks {
    /// One receiver.
    fn new(protocol: &str, endpoint: &str, settings: &str) -> Self {
        Self::of(&[format!("protocol={protocol},endpoint={endpoint}{settings}")])
    }

    /// A receiver for each of some settings.
    fn of(receivers: &[String]) -> Self {
        let folder = Folder::new("otlp");
        let file = format!("file,path={}", folder.path().join("events.ndjson").display());
        let mut words = ["--output", "-", "--sink", &file].map(str::to_owned).to_vec();
        words.extend(receivers.iter().flat_map(|settings| ["--sink".to_owned(), format!("otlp,{settings}")]));
        Self { folder, words }
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("events.ndjson")
    }
}

fn events(file: &Path) -> BTreeMap<u64, Event> {
    tail::whole(file).into_iter().map(|event| (event.number("seq"), event)).collect()
}

/// Each event once, and nothing else.
fn assert_equal(records: &[Record], events: &BTreeMap<u64, Event>) {
    let seqs: Vec<u64> = records.iter().map(Record::seq).collect();
    assert_eq!(seqs, events.keys().copied().collect::<Vec<_>>(), "each once, in order");
    for record in records {
        record.assert_is(&events[&record.seq()]);
    }
}

/// The counters of an OTLP sink in `stopped`.
fn balance(report: &Report, endpoint: &str) -> BTreeMap<&'static str, u64> {
    let sinks = report.stopped().at("sinks").as_array().expect("sinks");
    let ours = sinks.iter().find(|sink| sink["name"] == format!("otlp:{endpoint}"));
    let ours = ours.unwrap_or_else(|| panic!("{endpoint} is not there: {sinks:?}"));
    let counter = |name| (name, ours[name].as_u64().expect("a number"));
    let balance = BTreeMap::from(["accepted", "delivered", "lost", "waiting", "retries"].map(counter));
    assert_eq!(balance["accepted"], balance["delivered"] + balance["lost"] + balance["waiting"], "{ours}");
    balance
}

/// The event of an act. Between others: the connection to the receiver is in the namespace too. Who has closed does not
/// matter here: a program that another test starts in that moment shares the socket until its exec.
fn find(observer: &mut Observer, act: &Act) -> Event {
    let event = observer.events_until(|event| event.is_at(act)).pop().expect("it");
    assert_eq!(event.cause(), "close_unread", "{event:?}");
    event
}

fn every_event_arrives_once_with_what_it_tells() {
    for protocol in PROTOCOLS {
        Netns::run(|namespace| {
            let receiver = Receiver::start(protocol, &[]);
            let endpoint = format!("http://localhost:{}", receiver.port());
            let sinks = Sinks::new(protocol, &endpoint, ",batch=7,resource.deployment.environment.name=test");
            let observer = Observer::within(namespace, &sinks.words());
            for bytes in 1..=20 {
                for family in Family::ALL {
                    abort::unread(family, Side::Client, bytes);
                }
            }
            abort::linger_zero(Family::V4, Side::Server);
            let report = observer.stop();
            let records = receiver.records_until(Record::is_last);
            let events = events(&sinks.file());
            assert!(events.len() > 120, "both ends of each RST: {}", events.len());
            assert_equal(&records, &events);
            assert_eq!(events.len(), report.lines().len());
            let mut by_request: BTreeMap<u64, usize> = BTreeMap::new();
            records.iter().for_each(|record| *by_request.entry(record.request()).or_default() += 1);
            assert!(by_request.values().all(|count| *count <= 7), "{by_request:?}");
            let resource = records[0].resource();
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            for (name, value) in [
                ("service.name", "conn-observer"),
                ("host.name", &host),
                ("os.type", "linux"),
                ("deployment.environment.name", "test"),
            ] {
                assert_eq!(resource[name], value);
            }
            assert!(records.iter().all(|record| record.resource() == resource), "one resource");
            assert_eq!(balance(&report, &endpoint)["lost"], 0);
        });
    }
}

fn a_receiver_that_was_killed_gets_what_it_missed() {
    for protocol in PROTOCOLS {
        Netns::run(|namespace| {
            let receiver = Receiver::start(protocol, &[]);
            let port = receiver.port();
            let endpoint = format!("http://127.0.0.1:{port}");
            let sinks = Sinks::new(protocol, &endpoint, "");
            let mut observer = Observer::within(namespace, &sinks.words());
            let seen = find(&mut observer, &abort::fence()).number("seq");
            let mut before = receiver.records_until(|record| record.seq() == seen);
            before.extend(receiver.kill());
            let last = before.last().expect("some").request();
            for bytes in 1..=50 {
                find(&mut observer, &abort::unread(Family::V4, Side::Client, bytes));
            }
            let receiver = Receiver::at(protocol, port, &[]);
            let missed = find(&mut observer, &abort::fence()).number("seq");
            let mut after = receiver.records_until(|record| record.seq() == missed);
            let report = observer.stop();
            after.extend(receiver.records_until(Record::is_last));
            // It was killed, maybe, before it could answer to what it had told us: that is sent again, and nothing else.
            let again: Vec<u64> = before.iter().filter(|one| one.request() == last).map(Record::seq).collect();
            if after[0].seq() == again[0] {
                before.retain(|record| record.request() != last);
            }
            before.extend(after);
            assert_equal(&before, &events(&sinks.file()));
            let balance = balance(&report, &endpoint);
            assert_eq!(balance["lost"], 0, "{balance:?}");
            assert!(balance["retries"] > 0, "{balance:?}");
        });
    }
}

fn what_a_receiver_refuses_is_lost_and_counted() {
    for protocol in PROTOCOLS {
        Netns::run(|namespace| {
            let receiver = Receiver::start(protocol, &["--answers", "busy,busy,partial"]);
            let endpoint = format!("http://127.0.0.1:{}", receiver.port());
            let sinks = Sinks::new(protocol, &endpoint, "");
            let mut observer = Observer::within(namespace, &sinks.words());
            find(&mut observer, &abort::fence());
            // So it is told in the balance.
            let loss = observer.next_of_kind("loss");
            assert_eq!((loss.text("where"), loss.number("lost")), ("sink", 1), "{loss:?}");
            let report = observer.stop();
            let mut events = events(&sinks.file());
            events.remove(&0).expect("`started`, the first in the request that was taken in part");
            assert_equal(&receiver.records_until(Record::is_last), &events);
            let balance = balance(&report, &endpoint);
            assert_eq!((balance["lost"], balance["retries"] >= 2), (1, true), "{balance:?}");
        });
    }
}

fn headers_say_who_sends() {
    // A variable that every environment has.
    let secret = env::var("PATH").expect("a search path");
    for protocol in PROTOCOLS {
        Netns::run(|_| {
            let receiver = Receiver::start(protocol, &["--authorization", &format!("Bearer {secret}")]);
            let endpoint = format!("http://127.0.0.1:{}", receiver.port());
            let sinks = Sinks::new(protocol, &endpoint, ",headers.authorization=Bearer wrong");
            let outcome = run::observe(&sinks.words(), &script("unread 100"));
            let count = events(&sinks.file()).len();
            assert_eq!((outcome.code, outcome.lines().len()), (Some(0), count), "{outcome:?}");
            let lost = format!("sink otlp:{endpoint} has lost {count} of {count} events");
            assert!(outcome.stderr.contains(&lost), "{outcome:?}");
            assert!(outcome.stderr.contains("who are you?") && !outcome.stderr.contains("wrong"), "{outcome:?}");
            let sinks = Sinks::new(protocol, &endpoint, ",headers.authorization=Bearer ${PATH}");
            let outcome = run::observe(&sinks.words(), &script("unread 100"));
            assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
            assert_equal(&receiver.records_until(Record::is_last), &events(&sinks.file()));
        });
    }
}

fn certificates_of_both_sides_are_checked() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let [cert, key] = ours.sign("server");
    let [client_cert, client_key] = ours.sign("client");
    let (ca, wrong) = (ours.certificate(), other.certificate());
    Netns::run(|_| {
        let receivers =
            PROTOCOLS.map(|protocol| Receiver::start(protocol, &["--cert", &cert, "--key", &key, "--client-ca", &ca]));
        let client = format!("cert={client_cert},key={client_key}");
        // All is well; a receiver that nobody has signed for whom we trust; a client that nobody has signed for. Each
        // sink has an endpoint of its own.
        let hosts = ["localhost", "127.0.0.1", "127.0.0.1"];
        let settings = [format!("ca={ca},{client}"), format!("ca={wrong},{client}"), format!("ca={ca}")];
        let endpoints = receivers.each_ref().map(|receiver| {
            let [good, other, last] = hosts.map(|host| format!("https://{host}:{}", receiver.port()));
            [good, other, last + "/"]
        });
        let each = PROTOCOLS.iter().zip(&endpoints).flat_map(|(protocol, endpoints)| {
            let each = endpoints.iter().zip(&settings);
            each.map(move |(endpoint, settings)| format!("protocol={protocol},endpoint={endpoint},{settings}"))
        });
        let sinks = Sinks::of(&each.collect::<Vec<_>>());
        let outcome = run::observe(&sinks.words(), &script("unread 100"));
        let events = events(&sinks.file());
        let count = events.len();
        for (receiver, [good, bad @ ..]) in receivers.into_iter().zip(&endpoints) {
            assert_equal(&receiver.records_until(Record::is_last), &events);
            assert_eq!(receiver.kill().len(), 0, "nothing from those that are not trusted");
            assert!(!outcome.stderr.contains(good.as_str()), "{outcome:?}");
            for endpoint in bad {
                let lost = format!("sink otlp:{endpoint} has lost {count} of {count} events");
                assert!(outcome.stderr.contains(&lost), "{endpoint}: {outcome:?}");
            }
        }
        assert!(outcome.stderr.contains("UnknownIssuer"), "{outcome:?}");
    });
}

fn a_receiver_that_hangs_holds_nobody_else_up() {
    Netns::run(|namespace| {
        // The kernel accepts for them; nobody ever answers.
        let receivers = PROTOCOLS.map(|_| TcpListener::bind("127.0.0.1:0").expect("listen"));
        let endpoints = receivers.each_ref().map(|one| format!("http://{}", one.local_addr().expect("an address")));
        let each = PROTOCOLS.iter().zip(&endpoints);
        let sinks =
            each.map(|(protocol, endpoint)| format!("protocol={protocol},endpoint={endpoint},queue=8KiB,timeout=1m"));
        let sinks = Sinks::of(&sinks.collect::<Vec<_>>());
        let mut observer = Observer::within(namespace, &sinks.words());
        for bytes in 1..=20 {
            let event = find(&mut observer, &abort::unread(Family::V4, Side::Client, bytes));
            until("the file to have it", || events(&sinks.file()).contains_key(&event.number("seq")));
        }
        observer.next_of_kind("loss");
        let report = observer.stop();
        for endpoint in &endpoints {
            let told = report.of_kind("loss").into_iter().filter(|one| one.text("sink") == format!("otlp:{endpoint}"));
            let told: u64 = told.map(|one| one.number("lost")).sum();
            let balance = balance(&report, endpoint);
            // Some may have been lost since it was told.
            assert!((1..=balance["lost"]).contains(&told), "{told} of {balance:?}");
            assert_eq!(balance["delivered"], 0, "{balance:?}");
            assert!(balance["waiting"] > 0, "{balance:?}");
        }
        assert_eq!(events(&sinks.file()).len(), report.lines().len(), "the file has lost nothing");
    });
}

fn settings_that_can_never_work_are_refused() {
    for (settings, told) in [
        ("endpoint=localhost:4317", "expected http://host:port or https://host:port"),
        ("headers.authorization=${CONN_OBSERVER_NO_SUCH}", "variable CONN_OBSERVER_NO_SUCH is not set"),
        ("endpoint=https://localhost,ca=/nowhere.pem", "cannot read /nowhere.pem"),
        ("batch=0", "batch and timeout must be more than zero"),
    ] {
        run::observer(&["--sink", &format!("otlp,{settings}")]).assert_refused(&["sink otlp:", told]);
    }
}
