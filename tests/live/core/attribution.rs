//! Who it was, in full: also when the process is gone, forked without a new program, or runs another one by now.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use conn_observer_tests::abort;
use conn_observer_tests::actor::{self, Actor};
use conn_observer_tests::cgroup::Group;
use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Cgroup, Netns as PrivateNetns};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::status;
use conn_observer_tests::terminal::Terminal;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "core::once::attribution",
        [PrivateNetns, Bpf],
        [
            fifty_processes_that_ended_at_once_are_told_in_full,
            a_finding_names_the_program_that_ran_then,
            a_process_older_than_the_observer_is_known,
        ]
    );
    // One kernel is enough for these.
    add!(
        suite,
        "attribution",
        [PrivateNetns, Bpf],
        [
            a_program_is_found_by_a_relative_path,
            a_child_without_a_program_of_its_own_has_its_parents,
            a_program_that_was_deleted_is_said_to_be,
            secrets_in_arguments_are_masked,
            somebody_at_a_terminal_is_told,
            a_private_namespace_is_not_the_hosts,
            another_user_is_told_by_name,
            a_flood_of_findings_is_attributed_and_accounted_for,
        ]
    );
    add!(suite, "attribution", [Bpf], [the_hosts_namespace_is_told_as_such,]);
    add!(
        suite,
        "attribution",
        [PrivateNetns, Bpf, Cgroup],
        [
            a_container_is_told_of_a_process_that_lives_and_of_one_that_is_gone,
            a_container_is_told_when_its_group_is_gone_too,
        ]
    );
}

fn executable() -> String {
    fs::canonicalize(env::current_exe().unwrap()).unwrap().to_str().unwrap().to_owned()
}

/// A process that makes its act at once and ends.
fn hurried(words: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(actor::FLAG).args(words).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(mut command: Command) -> u32 {
    let mut child = command.spawn().expect("an actor");
    assert!(child.wait().expect("wait").success());
    child.id()
}

fn first_parent(event: &Event) -> u64 {
    event.at("process.parents")[0]["pid"].as_u64().unwrap_or_else(|| panic!("no parent in {event:?}"))
}

fn fifty_processes_that_ended_at_once_are_told_in_full() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        for number in 0..50 {
            let bytes = (number + 1).to_string();
            let pid = run(hurried(&["unread", &bytes, "then", "exit", "0"]));
            let event = observer.next_event();
            assert_eq!(event.number("process.pid"), u64::from(pid), "{event:?}");
            if !observer.declares_limit("command_args") {
                assert_eq!(event.text("process.executable.path"), executable(), "{event:?}");
                let arguments = json!([env::current_exe().unwrap(), "--act", "unread", bytes, "then", "exit", "0"]);
                assert_eq!(event.at("process.command_args"), &arguments, "{event:?}");
            }
            assert_eq!(first_parent(&event), u64::from(std::process::id()), "{event:?}");
            assert_eq!(event.at("process.parents")[0]["comm"], comm.trim_end(), "{event:?}");
            assert!(event.text("process.start_time") < event.text("time"), "{event:?}");
            assert_eq!(event.text("process.user.name"), "root", "{event:?}");
        }
        let report = observer.stop();
        assert_eq!(report.stopped().number("unknown_processes"), 0);
        assert_eq!(report.stopped().number("process_misses"), 0, "nobody had to be looked up");
    });
}

fn a_program_is_found_by_a_relative_path() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let path = executable();
        let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
        // The working directory is the parent's, as for every program that a shell starts.
        let here = env::current_dir().unwrap();
        let up = "../".repeat(here.components().count() - 1);
        let relative = format!("{up}.{path}");
        let mut command = Command::new(&relative);
        command.arg0(name).args([actor::FLAG, "unread", "7"]).stdin(Stdio::null()).stdout(Stdio::null());
        run(command);
        let event = observer.next_event();
        assert_eq!(event.text("process.executable.path"), path, "{event:?}");
        assert_eq!(event.at("process.command_args")[0], name, "{event:?}");
    });
}

fn a_finding_names_the_program_that_ran_then() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--latency", "200"]);
        let pid = run(hurried(&["unread", "5", "then", "become", "unread", "6"]));
        for bytes in ["5", "6"] {
            let event = observer.next_event();
            assert_eq!(event.number("process.pid"), u64::from(pid), "{event:?}");
            assert_eq!(event.number("tcp.unread_bytes").to_string(), bytes, "{event:?}");
            // Two programs in one process: what `/proc` shows of the second is not told of the first.
            let expected = if observer.declares_limit("command_args") { Value::Null } else { bytes.into() };
            let told = &event.at("process.command_args")[3];
            assert!(*told == expected || *told == bytes, "{event:?}");
        }
    });
}

fn a_child_without_a_program_of_its_own_has_its_parents() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let mut actor = Actor::spawn();
        let act = actor.play_one("child-unread");
        let event = observer.expect("close_unread", &act);
        assert_ne!(act.pid, actor.pid());
        assert_eq!(event.text("process.executable.path"), executable(), "{event:?}");
        assert_eq!(event.at("process.command_args")[1], actor::FLAG, "{event:?}");
        assert_eq!(first_parent(&event), u64::from(actor.pid()), "{event:?}");
        assert_eq!(event.at("process.parents")[0]["comm"], actor::COMM, "{event:?}");
        assert_eq!(event.at("process.parents")[1]["pid"], std::process::id(), "{event:?}");
    });
}

fn a_process_older_than_the_observer_is_known() {
    Netns::run(|namespace| {
        let mut actor = Actor::spawn();
        let act = actor.play_one("hold 9");
        let mut observer = Observer::within(namespace, &[]);
        // It ends, and its connection with it.
        actor.kill();
        let event = observer.expect("close_unread", &act);
        assert_eq!(event.at("process.exiting"), true, "{event:?}");
        assert_eq!(event.text("process.executable.path"), executable(), "{event:?}");
        assert_eq!(event.at("process.command_args")[1], actor::FLAG, "{event:?}");
        assert_eq!(first_parent(&event), u64::from(std::process::id()), "{event:?}");
        assert_eq!(observer.stop().stopped().number("process_misses"), 0);
    });
}

fn a_program_that_was_deleted_is_said_to_be() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let copy = env::temp_dir().join(format!("deleted-{}", std::process::id()));
        fs::copy(executable(), &copy).unwrap();
        let mut command = Command::new(&copy);
        command.args([actor::FLAG, "say", "ready", "then", "listen", "then", "unread", "8", "then", "listen"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        fs::remove_file(&copy).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, b"go\n").unwrap();
        let event = observer.next_event();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        assert_eq!(event.text("process.executable.path"), copy.to_str().unwrap(), "{event:?}");
        assert_eq!(event.at("process.executable.deleted"), true, "{event:?}");
    });
}

fn secrets_in_arguments_are_masked() {
    let words = ["unread", "3", "then", "say", "--token=abc", "then", "say", "postgres://me:abc@db/x"];
    for (options, tail) in [
        (&[][..], json!(["say", "--token=***", "then", "say", "postgres://me:***@db/x"])),
        (&["--redact-args", "all"], json!(["***", "***", "***", "***", "***"])),
        (&["--redact-args", "none"], json!(["say", "--token=abc", "then", "say", "postgres://me:abc@db/x"])),
    ] {
        Netns::run(|namespace| {
            let mut observer = Observer::within(namespace, options);
            run(hurried(&words));
            let event = observer.next_event();
            let arguments = event.at("process.command_args").as_array().unwrap();
            assert_eq!(arguments[0], *env::current_exe().unwrap().to_str().unwrap(), "{event:?}");
            assert_eq!(Value::from(arguments[arguments.len() - 5..].to_vec()), tail, "{event:?}");
        });
    }
}

fn somebody_at_a_terminal_is_told() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        run(hurried(&["unread", "3"]));
        let quiet = observer.next_event();
        let terminal = Terminal::open();
        let mut command = hurried(&["unread", "4"]);
        terminal.control(&mut command);
        run(command);
        let event = observer.next_event();
        assert_eq!(event.at("process.interactive"), true, "{event:?}");
        // We may have a terminal ourselves.
        let ours = fs::read_to_string("/proc/self/stat").unwrap();
        let ours = ours.rsplit(')').next().unwrap().split_whitespace().nth(4).unwrap() != "0";
        assert_eq!(quiet.at("process.interactive"), ours, "{quiet:?}");
    });
}

fn a_private_namespace_is_not_the_hosts() {
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        run(hurried(&["unread", "3"]));
        let event = observer.next_event();
        assert_eq!(event.at("network.host_namespace"), false, "{event:?}");
        assert_eq!(event.number("network.namespace"), namespace.inode(), "{event:?}");
    });
}

fn the_hosts_namespace_is_told_as_such() {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
    let ours = namespace("thread-self").unwrap();
    let mut actor = Actor::spawn();
    let mut observer = Observer::start(&["--pid", &actor.pid().to_string()]);
    let act = actor.play_one("unread 3");
    let event = observer.expect("close_unread", &act);
    // The tests may run in a container. Where they do not, kernel threads are to be seen.
    let is_host = fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n");
    if is_host {
        assert_eq!(event.at("network.host_namespace"), ours == namespace("2").unwrap(), "{event:?}");
    }
    assert_eq!(format!("net:[{}]", event.number("network.namespace")), ours.to_str().unwrap(), "{event:?}");
}

fn another_user_is_told_by_name() {
    const NOBODY: u32 = 65_534;
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        run(hurried(&["uid", &NOBODY.to_string(), "then", "unread", "3"]));
        let event = observer.next_event();
        assert_eq!((event.number("process.user.id"), event.text("process.user.name")), (NOBODY.into(), "nobody"));
    });
}

fn a_container_is_told_of_a_process_that_lives_and_of_one_that_is_gone() {
    const ID: &str = "2a55517bd2c9f85d2e1911cb4cd0840a4aa299513af411fb437c0661dd88d11b";
    Netns::run(|namespace| {
        let group = Group::of_container(ID).unwrap();
        let mut observer = Observer::within(namespace, &[]);
        let check = |event: &Event| {
            assert_eq!(event.text("container.id"), ID, "{event:?}");
            assert_eq!(event.text("container.runtime"), "docker", "{event:?}");
            assert_eq!(event.text("systemd.unit"), format!("docker-{ID}.scope"), "{event:?}");
            assert_eq!(event.text("systemd.slice"), group.slice(), "{event:?}");
            assert_eq!(event.text("cgroup.path"), group.path(), "{event:?}");
        };
        let mut lives = group.hold(&hurried(&["unread", "4", "then", "listen"]));
        let mut child = lives.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let event = observer.next_event();
        assert_eq!(event.number("process.pid"), u64::from(child.id()), "{event:?}");
        check(&event);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        let mut ends = group.hold(&hurried(&["unread", "5", "then", "exit", "0"]));
        ends.stdin(Stdio::null()).stdout(Stdio::null());
        run(ends);
        check(&observer.next_event());
    });
}

/// As with `docker run --rm`: the group is removed as soon as it is empty.
fn a_container_is_told_when_its_group_is_gone_too() {
    const ID: &str = "b33dda97580e721a69fa81742190341f858ea809ec4a9d74a8cfd411b0ee7c26";
    Netns::run(|namespace| {
        let group = Group::of_container(ID).unwrap();
        let path = group.path();
        let spawn = |words: &[&str]| {
            let mut command = group.hold(&hurried(words));
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            // It is in its group, and its program runs.
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            stdout.read_line(&mut String::new()).unwrap();
            child
        };
        let script = ["say", "ready", "then", "listen", "then", "unread", "4", "then", "exit", "0"];
        let older = spawn(&script);
        let mut observer = Observer::within(namespace, &[]);
        let younger = spawn(&script);
        // By now the observer has heard of its program.
        observer.expect("close_unread", &abort::fence());
        observer.signal(Signal::STOP);
        for mut child in [older, younger] {
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success());
        }
        drop(group);
        observer.signal(Signal::CONT);
        for _ in 0..2 {
            let event = observer.next_event();
            assert_eq!(event.text("container.id"), ID, "{event:?}");
            assert_eq!(event.text("cgroup.path"), path, "{event:?}");
        }
    });
}

/// As many findings as some processes can make, both ends of each, with all that can be asked for: what is not told is
/// counted, and the memory stays bounded.
fn a_flood_of_findings_is_attributed_and_accounted_for() {
    const PROCESSES: u64 = 4;
    const ROUNDS: u64 = 5_000;
    Netns::run(|namespace| {
        let observer = Observer::within(namespace, &["--stack", "both", "--dns", "--ptr"]);
        let before = status::resident(observer.pid());
        let mut makers: Vec<Child> = Vec::new();
        let most = status::peak_during(observer.pid(), || {
            makers.extend((0..PROCESSES).map(|_| hurried(&["unread-many", &ROUNDS.to_string()]).spawn().unwrap()));
            assert!(makers.iter_mut().all(|maker| maker.wait().unwrap().success()));
        });
        let pids: Vec<u64> = makers.iter().map(|maker| maker.id().into()).collect();
        let report = observer.stop();
        for cause in ["close_unread", "reset_by_peer"] {
            let told: Vec<&Event> = report.lines().iter().filter(|event| event.at("cause") == cause).collect();
            let [acts, lost] = ["acts", "lost"].map(|field| report.total(namespace, cause, field));
            assert_eq!((acts, told.len() as u64 + lost), (PROCESSES * ROUNDS, PROCESSES * ROUNDS), "{cause}");
            for event in told {
                assert!(pids.contains(&event.number("process.pid")), "{event:?}");
                assert_eq!(event.text("process.executable.path"), executable(), "{event:?}");
            }
        }
        assert_eq!(report.stopped().number("unknown_processes"), 0, "{:?}", report.stopped());
        // What the ring holds may be resident as well, the symbols of the kernel are, and memory that was freed less than a
        // second ago is. The findings themselves would be hundreds of MiB.
        assert!(most < before + (48 << 20), "{before} bytes became {most}");
    });
}
