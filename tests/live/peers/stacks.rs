//! Which line closed the connection: functions, files and lines of C, Rust and JavaScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use conn_observer_tests::event::Event;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::feature::{sources, tool};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::peer;
use serde_json::Value;

use super::scripts;
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers::stacks",
        [PrivateNetns, Bpf, Tool("cc"), Sources],
        [
            c_functions_are_told_from_the_one_that_closes_on,
            c_functions_are_told_beside_another_thread,
            c_functions_of_a_library_are_told,
            c_functions_without_frame_pointers_are_told_near_the_close,
        ]
    );
    add!(suite, "peers::stacks", [PrivateNetns, Bpf, Tool("rustc"), Sources], [rust_functions_have_readable_names,]);
    add!(suite, "peers::stacks", [PrivateNetns, Bpf, Tool("node"), Sources], [javascript_functions_are_told,]);
}

pub(super) const C: &str = "c/close_unread.c";

const RUST: &str = "rust/close_unread.rs";

/// Functions of the C program, the innermost first.
pub(super) const FUNCTIONS: [&str; 3] = ["close_socket", "drop_connection", "handle_request"];

/// A line of `stack.user`.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) symbol: String,
    pub(super) file: String,
    pub(super) line: Option<u64>,
    pub(super) module: String,
}

impl Frame {
    /// Those of an event, the innermost first.
    pub(super) fn all(event: &Event) -> Vec<Self> {
        let frames = event.at("stack.user").as_array().unwrap_or_else(|| panic!("no stack in {event:?}"));
        frames.iter().map(Self::of).collect()
    }

    fn of(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Self { symbol: text("symbol"), file: text("file"), line: value["line"].as_u64(), module: text("module") }
    }
}

/// The stack of a close by the program.
fn stack(program: impl Fn() -> Command + Sync) -> Vec<Frame> {
    let mut told = Vec::new();
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &["--symbol-budget", "2s"]);
        // Who closes first may have to wait for its symbols longer than anybody is waited for.
        for _ in 0..2 {
            let (program, act) = peer::close_unread_and_stay(program(), Family::V4, Side::Client, 100);
            let event = observer.expect("close_unread", &act);
            told = Frame::all(&event);
            drop(program);
            let _ = fs::remove_file(format!("/tmp/perf-{}.map", act.pid));
        }
    });
    told
}

/// The line that ends with this comment.
pub(super) fn line(source: &str, comment: &str) -> u64 {
    let text = fs::read_to_string(sources().join(source)).unwrap();
    let mut found = text.lines().zip(1..).filter(|(line, _)| line.ends_with(&format!("// {comment} is here")));
    let line = found.next().unwrap_or_else(|| panic!("no {comment} in {source}")).1;
    assert!(found.next().is_none(), "two lines for {comment}");
    line
}

/// A folder of this test's own for what it compiles.
pub(super) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stacks-{name}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Compiles one of our sources.
pub(super) fn build(compiler: &str, folder: &Path, arguments: &[&str], source: &str) {
    let source = sources().join(source);
    compile(compiler, folder, &[&[source.to_str().expect("a path in UTF-8")], arguments].concat());
}

pub(super) fn compile(compiler: &str, folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(tool(compiler).expect("a compiler"));
    command.current_dir(folder).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(super) const WITH_FRAME_POINTERS: [&str; 5] =
    ["-g", "-O1", "-fno-omit-frame-pointer", "-fno-inline", "-fno-optimize-sibling-calls"];

/// Compiles the C program, and checks that its functions are told in order, right behind the C library's.
fn assert_c_is_told(name: &str, flags: &[&str]) {
    let folder = folder(name);
    build("cc", &folder, &[&["-o", "close_unread"], flags].concat(), C);
    assert_functions_are_told(&folder, "close_unread");
}

fn assert_functions_are_told(folder: &Path, module: &str) {
    let frames = stack(|| Command::new(folder.join("close_unread")));
    let libc = frames.iter().take_while(|frame| frame.module.starts_with("libc.so")).count();
    assert!(libc > 0 && frames[libc - 1].symbol == "close", "{frames:#?}");
    for (frame, function) in frames[libc..].iter().zip(FUNCTIONS) {
        assert_eq!(frame.symbol, function, "{frames:#?}");
        assert!(frame.file.ends_with(C), "{frames:#?}");
        assert_eq!(frame.line, Some(line(C, function)), "{frames:#?}");
        assert_eq!(frame.module, module, "{frames:#?}");
    }
    let caller = frames.get(libc + FUNCTIONS.len()).map(|frame| frame.symbol.as_str());
    assert_eq!(caller, Some("main"), "{frames:#?}");
}

fn c_functions_are_told_from_the_one_that_closes_on() {
    assert_c_is_told("plain", &WITH_FRAME_POINTERS);
}

/// The C library then takes another way through `close()`, with a frame.
fn c_functions_are_told_beside_another_thread() {
    assert_c_is_told("thread", &[&WITH_FRAME_POINTERS[..], &["-DTHREAD", "-pthread"]].concat());
}

fn c_functions_of_a_library_are_told() {
    const LIBRARY: &str = "libclosing.so";
    let folder = folder("library");
    // Each of its functions can be replaced by another one of that name, so that calls go through the PLT.
    build("cc", &folder, &[&WITH_FRAME_POINTERS[..], &["-DLIBRARY", "-fPIC", "-shared", "-o", LIBRARY]].concat(), C);
    let program = ["-DPROGRAM", "-Wl,-rpath,$ORIGIN", "-o", "close_unread", LIBRARY];
    build("cc", &folder, &[&WITH_FRAME_POINTERS[..], &program].concat(), C);
    assert_functions_are_told(&folder, LIBRARY);
}

fn c_functions_without_frame_pointers_are_told_near_the_close() {
    assert_c_is_told("bare", &["-g", "-O2", "-fomit-frame-pointer", "-fno-inline", "-fno-optimize-sibling-calls"]);
}

fn rust_functions_have_readable_names() {
    let folder = folder("rust");
    build("rustc", &folder, &["-g", "-C", "force-frame-pointers=yes", "--edition", "2021"], RUST);
    let frames = stack(|| Command::new(folder.join("close_unread")));
    let mut own = frames.iter().filter(|frame| frame.file.ends_with(RUST));
    for (name, comment) in
        [("close_unread::forget", "forget"), ("Request::abandon", "abandon"), ("close_unread::main", "main")]
    {
        let frame = own.next().unwrap_or_else(|| panic!("no {name} in {frames:#?}"));
        assert!(frame.symbol.contains(name), "{name} in {frames:#?}");
        assert_eq!(frame.line, Some(line(RUST, comment)), "{name} in {frames:#?}");
    }
    let close = frames.iter().position(|frame| frame.symbol == "close").unwrap_or_else(|| panic!("{frames:#?}"));
    assert!(frames[close + 1].symbol.contains("OwnedFd"), "it closes: {frames:#?}");
    // `17h` and sixteen digits, as the linker has it.
    let has_hash = |name: &str| name.rsplit("::").next().is_some_and(|last| last.len() == 17 && last.starts_with('h'));
    assert!(!frames.iter().any(|frame| has_hash(&frame.symbol)), "{frames:#?}");
}

fn javascript_functions_are_told() {
    // The interpreter's frames have names of their own, too.
    let options = ["--perf-basic-prof", "--interpreted-frames-native-stack"];
    let program = || {
        let script = scripts::program("node", "node/close_unread.js");
        let mut command = Command::new(script.get_program());
        command.args(options).args(script.get_args()).current_dir(folder("node"));
        command
    };
    let frames = stack(program);
    let at = |what: &str| {
        let found = frames.iter().position(|frame| frame.symbol.contains(what));
        found.unwrap_or_else(|| panic!("no {what} in {frames:#?}"))
    };
    let (close, destroy, script) = (at("uv__close"), at("Socket._destroy"), at("closeNow"));
    assert!(close < destroy && destroy < script, "{frames:#?}");
    assert!(frames[script].symbol.contains("close_unread.js"), "{frames:#?}");
}
