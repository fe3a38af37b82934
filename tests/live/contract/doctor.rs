//! `conn-observer doctor`: what it says of this machine is true, and each trouble is named.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use conn_observer_tests::binary::{self, PublicCopy};
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root};
use conn_observer_tests::run;
use serde_json::Value;

use super::refusals::without_btf;
use crate::suite::{Suite, add};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "contract",
        [PrivateNetns, Bpf],
        [
            the_doctor_sees_every_cause_that_it_makes,
            the_doctor_speaks_to_people_by_default,
            the_doctor_says_what_a_connection_costs,
        ]
    );
    add!(
        suite,
        "contract",
        [Bpf],
        [
            the_doctor_names_the_hook_of_a_refused_plan,
            the_doctor_says_what_a_missing_field_costs,
            the_doctor_fails_without_a_required_field,
            the_doctor_judges_no_file_that_is_no_btf,
        ]
    );
    add!(suite, "contract", [Root], [the_doctor_serves_a_user_without_privilege, the_doctor_goes_on_without_btf]);
}

fn the_doctor_sees_every_cause_that_it_makes() {
    let plan = env::var("CONN_OBSERVER_HOOKS").unwrap_or_else(|_| "auto".to_owned());
    let report = Report::of(&["--hooks", &plan], 0);
    let (tried, rest): (Vec<&Value>, Vec<&Value>) =
        report.rows("self_test").iter().partition(|row| row["state"] != "not_tried");
    assert_eq!((tried.len(), rest.len()), (11, 5), "{rest:?}");
    for row in tried {
        let cause = row["cause"].as_str().unwrap();
        // A kernel may be built without CONFIG_INET_DIAG_DESTROY; all else is declared, or seen.
        let declared = cause == "admin_kill" || report.check("coverage")["detail"].as_str().unwrap().contains(cause);
        let state = row["state"].as_str().unwrap();
        assert!(state == "seen" || declared && state == "not_on_this_kernel", "{row}");
    }
    let in_force: Vec<&Value> = report.rows("plans").iter().filter(|row| row["in_force"] == true).collect();
    assert_eq!(in_force.len(), 1);
    assert!(plan == "auto" || in_force[0]["plan"] == plan.as_str(), "{in_force:?}");
    assert!(report.missing_fields().is_empty(), "{:?}", report.missing_fields());
}

fn the_doctor_speaks_to_people_by_default() {
    let outcome = run::observer_alone(&["doctor"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("self_test"), "{}", outcome.stdout);
    assert!(outcome.stdout.lines().any(|line| line == "  close_unread         seen"), "{}", outcome.stdout);
}

/// By the kernel's own figures, which are switched on for that alone.
fn the_doctor_says_what_a_connection_costs() {
    let report = Report::of(&["--cost"], 0);
    let costs: Vec<&Value> = report.rows("cost").iter().collect();
    let loads: Vec<&Value> = costs.iter().map(|cost| &cost["load"]).collect();
    assert_eq!(loads, ["clean", "unread"]);
    let runs = |cost: &Value, hook: &str| {
        let hooks = cost["hooks"].as_array().unwrap().iter();
        hooks.filter(|one| one["hook"].as_str().unwrap().ends_with(hook)).map(|one| one["runs"].as_u64().unwrap()).sum()
    };
    for cost in &costs {
        let connections = cost["connections"].as_u64().unwrap();
        let ns = cost["connection_ns"].as_u64().unwrap();
        // From tens of nanoseconds on fast machines to many microseconds in emulated ones.
        assert!((10..1_000_000).contains(&ns), "{cost}");
        // Both ends of a connection change their states and go.
        let changes: u64 = runs(cost, "/inet_sock_set_state");
        assert!(changes >= 4 * connections, "{cost}");
        assert!(runs(cost, "/tcp_destroy_sock") >= connections, "{cost}");
    }
    let resets = |cost: &Value| -> u64 { runs(cost, "/tcp_send_reset") };
    assert!(resets(costs[1]) >= costs[1]["connections"].as_u64().unwrap(), "{}", costs[1]);
    assert_eq!(Report::of(&[], 0).0.get("cost"), None, "only when it is asked for");
}

/// The observer itself must be refused with the same error.
fn the_doctor_names_the_hook_of_a_refused_plan() {
    let known = Report::of(&[], 0);
    for row in known.rows("plans") {
        let plan = row["plan"].as_str().unwrap();
        if row["attaches"] == true {
            Report::of(&["--hooks", plan], 0);
            continue;
        }
        let report = Report::of(&["--hooks", plan], 2);
        let (hook, error) = (row["refused_hook"].as_str().unwrap(), row["error"].as_str().unwrap());
        let check = report.check(&format!("plan_{plan}"));
        assert_eq!(check["state"], "failed");
        assert_eq!(check["detail"], format!("refused at {hook}: {error}"));
        assert_eq!(report.check("hooks")["state"], "failed");
        assert_eq!(report.check("self_test")["state"], "skipped");
        run::observer_alone(&["--hooks", plan, "--duration", "1ms"]).assert_refused(&[hook, error]);
    }
}

fn the_doctor_serves_a_user_without_privilege() {
    let copy = PublicCopy::new("doctor");
    let report = Report::from(run::run(copy.as_nobody(&["doctor", "--format", "json"])), 2);
    for capability in ["CAP_BPF", "CAP_PERFMON"] {
        let check = report.check(capability);
        assert_eq!(check["state"], "failed");
        assert!(check["remedy"].as_str().unwrap().contains("root"), "{check}");
    }
    assert_eq!(report.check("fields")["state"], "ok", "everybody may read BTF");
    assert_eq!(report.check("self_test")["state"], "skipped");
    assert_eq!(report.failed(), ["CAP_BPF", "CAP_PERFMON"]);
}

fn the_doctor_goes_on_without_btf() {
    let mut command = process::Command::new(binary::path());
    command.args(["doctor", "--format", "json"]);
    let report = Report::from(run::run(without_btf(command)), 2);
    let check = report.check("btf");
    assert_eq!(check["state"], "failed");
    assert!(check["remedy"].as_str().unwrap().contains("CONFIG_DEBUG_INFO_BTF"), "{check}");
    assert_eq!(report.check("plans")["state"], "skipped");
    assert_eq!(report.check("pid_namespace")["state"], "ok");
}

fn the_doctor_says_what_a_missing_field_costs() {
    let fixture = Fixture::without("bytes_received");
    let report = Report::of(&["--btf", fixture.path()], 0);
    let check = report.check("fields");
    assert_eq!(check["state"], "limited");
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("no tcp_sock.bytes_received of 8 bytes, which costs tcp.received_bytes"), "{detail}");
    assert_eq!(report.missing_fields(), ["bytes_received"]);
    for name in ["plans", "self_test"] {
        assert_eq!(report.check(name)["state"], "skipped");
        assert!(report.check(name)["detail"].as_str().unwrap().contains("--btf"));
    }
}

fn the_doctor_fails_without_a_required_field() {
    let fixture = Fixture::without("copied_seq");
    let report = Report::of(&["--btf", fixture.path()], 2);
    let check = report.check("fields");
    assert_eq!(check["state"], "failed");
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("no tcp_sock.copied_seq of 4 bytes, which is needed for unread bytes"), "{detail}");
    assert_eq!(report.missing_fields(), ["copied_seq"]);
    assert_eq!(report.failed(), ["fields"]);
}

fn the_doctor_judges_no_file_that_is_no_btf() {
    for path in ["/does/not/exist", "/dev/null", "/proc/self/exe"] {
        let report = Report::of(&["--btf", path], 2);
        assert_eq!(report.failed(), ["btf"]);
        assert!(report.check("btf")["detail"].as_str().unwrap().contains(path));
    }
}

/// A report of the doctor, parsed.
struct Report(Value);

impl Report {
    /// What the doctor says with these arguments, and the exit status it must have.
    #[track_caller]
    fn of(arguments: &[&str], code: i32) -> Self {
        Self::from(run::observer_alone(&[&["doctor", "--format", "json"], arguments].concat()), code)
    }

    #[track_caller]
    fn from(outcome: run::Outcome, code: i32) -> Self {
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert_eq!(outcome.stderr, "", "{outcome:?}");
        let report: Value = serde_json::from_str(&outcome.stdout).expect("one JSON object");
        assert_eq!(report["schema"], "conn-observer/doctor/1");
        assert_eq!(report["ok"], code == 0);
        Self(report)
    }

    fn rows(&self, name: &str) -> &[Value] {
        self.0[name].as_array().expect("an array")
    }

    fn check(&self, name: &str) -> &Value {
        let found = self.rows("checks").iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no check {name} in {}", self.0))
    }

    fn failed(&self) -> Vec<&str> {
        let failed = self.rows("checks").iter().filter(|check| check["state"] == "failed");
        failed.map(|check| check["name"].as_str().unwrap()).collect()
    }

    fn missing_fields(&self) -> Vec<&str> {
        let missing = self.rows("fields").iter().filter(|field| field["found"] == false);
        missing.map(|field| field["name"].as_str().unwrap()).collect()
    }
}

/// The BTF of a kernel that has no member of a certain name.
struct Fixture(PathBuf);

impl Fixture {
    /// This kernel's BTF with the name changed, to one of the same length, in its strings.
    fn without(member: &str) -> Self {
        let mut btf = fs::read(VMLINUX).expect("the kernel's BTF");
        let strings = strings_of(&btf);
        let whole = [b"\0", member.as_bytes(), b"\0"].concat();
        let places: Vec<usize> = btf[strings..]
            .windows(whole.len())
            .enumerate()
            .filter(|(_, name)| *name == whole)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(places.len(), 1, "BTF holds each name once: {member}");
        let end = strings + places[0] + whole.len() - 1;
        btf[end - 2..end].copy_from_slice(b"XX");
        let path = env::temp_dir().join(format!("btf-without-{member}-{}", process::id()));
        fs::write(&path, btf).expect("a BTF file");
        Self(path)
    }

    fn path(&self) -> &str {
        Path::to_str(&self.0).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where the strings begin (`struct btf_header`: hdr_len at 4, str_off at 16, counted from the header's end).
fn strings_of(btf: &[u8]) -> usize {
    let word = |at: usize| u32::from_ne_bytes(btf[at..at + 4].try_into().unwrap()) as usize;
    word(4) + word(16)
}
