//! What cannot be done is said in one line on stderr that names the thing, with exit status 2.

use std::os::unix::process::CommandExt;
use std::{env, fs, io, process, ptr};

use conn_observer_tests::binary::{self, PublicCopy};
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Root};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::run;

use crate::suite::{Suite, add};

/// The kernel's upper bound of pid_max (PID_MAX_LIMIT): no process ever has this id.
const NO_PID: &str = "4194304";

pub(super) fn tests(suite: &mut Suite) {
    add!(suite, "contract", [], [a_malformed_argument_is_refused_by_name,]);
    add!(
        suite,
        "contract",
        [Bpf],
        [
            a_pid_that_does_not_exist_is_refused,
            a_thread_is_told_from_a_process,
            a_command_that_is_not_found_is_refused,
            an_output_that_cannot_be_written_is_noticed_at_once,
            a_file_survives_an_observer_that_cannot_start,
        ]
    );
    add!(
        suite,
        "contract",
        [Root],
        [a_user_without_privilege_is_told_which_capability_is_missing, a_kernel_without_btf_is_refused,]
    );
    add!(suite, "contract", [PrivateNetns, Bpf], [a_plan_that_this_kernel_refuses_is_refused_with_its_error,]);
}

fn a_malformed_argument_is_refused_by_name() {
    for (arguments, named) in [
        (["--peer", "10.0.0.0/33"], "10.0.0.0/33"),
        (["--peer", "fd00::/129"], "fd00::/129"),
        (["--peer", "example.org"], "example.org"),
        (["--cause", "close_unred"], "close_unred"),
        (["--fail-on", "close_unread,nonsense"], "nonsense"),
        (["--pid", "-1"], "-1"),
        (["--pid", "self"], "self"),
        (["--port", "65536"], "65536"),
        (["--hooks", "magic"], "magic"),
        (["--format", "xml"], "xml"),
        (["--duration", "10 bananas"], "10 bananas"),
        (["--stack-depth", "65"], "65"),
        (["--output", "/does/not/exist/events"], "/does/not/exist/events"),
    ] {
        run::observer_alone(&arguments).assert_refused(&[named]);
    }
}

fn a_pid_that_does_not_exist_is_refused() {
    run::observer(&["--pid", NO_PID]).assert_refused(&[NO_PID]);
}

fn a_thread_is_told_from_a_process() {
    let thread = std::thread::spawn(|| {
        let tid = rustix::thread::gettid().as_raw_nonzero().to_string();
        run::observer(&["--pid", &tid]).assert_refused(&[&tid, &process::id().to_string()]);
    });
    thread.join().unwrap();
}

fn an_output_that_cannot_be_written_is_noticed_at_once() {
    let outcome = run::observer(&["--output", "/dev/full"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
}

fn a_file_survives_an_observer_that_cannot_start() {
    let path = env::temp_dir().join(format!("kept-{}", process::id()));
    fs::write(&path, "precious").unwrap();
    run::observer(&["--output", path.to_str().unwrap(), "--", "/does/not/exist"]).assert_refused(&["/does/not/exist"]);
    let kept = fs::read_to_string(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(kept.unwrap(), "precious");
}

fn a_command_that_is_not_found_is_refused() {
    run::observer(&["--", "/does/not/exist"]).assert_refused(&["/does/not/exist"]);
    run::observer(&["--", "no-such-command-anywhere"]).assert_refused(&["no-such-command-anywhere"]);
}

fn a_user_without_privilege_is_told_which_capability_is_missing() {
    let copy = PublicCopy::new("refusals");
    run::run(copy.as_nobody(&[])).assert_refused(&["CAP_BPF"]);
}

fn a_kernel_without_btf_is_refused() {
    run::run(without_btf(binary::command(&["--duration", "1ms"])))
        .assert_refused(&["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

/// The same command where the kernel seems to have no BTF.
pub(super) fn without_btf(mut command: process::Command) -> process::Command {
    // SAFETY: system calls alone, between fork and exec: a mount namespace in which an empty folder hides the BTF.
    unsafe {
        command.pre_exec(|| {
            let hidden = libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), libc::MS_REC | libc::MS_PRIVATE, ptr::null())
                    == 0
                && libc::mount(c"none".as_ptr(), c"/sys/kernel/btf".as_ptr(), c"tmpfs".as_ptr(), 0, ptr::null()) == 0;
            if hidden { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    command
}

fn a_plan_that_this_kernel_refuses_is_refused_with_its_error() {
    Netns::run(|namespace| {
        let chosen = Observer::within(namespace, &[]);
        let refused = chosen.started().at("hooks.refused").as_array().cloned().unwrap_or_default();
        for row in &refused {
            let plan = row["plan"].as_str().expect("a plan");
            let error = row["error"].as_str().expect("an error");
            let errno = error.split([' ', ':']).next().expect("its first word");
            let mut command = process::Command::new(binary::path());
            command.args(["--hooks", plan]);
            run::run(command).assert_refused(&[plan, errno]);
        }
        assert!(chosen.plan() != "tracepoint" || env::var("CONN_OBSERVER_HOOKS").is_ok() || !refused.is_empty());
    });
}
