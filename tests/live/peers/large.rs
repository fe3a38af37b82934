//! A program with half a gigabyte of debug information: its events do not wait for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use conn_observer_tests::deadline::DEADLINE;
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Sources, Tool};
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::pair::{Family, Side};
use conn_observer_tests::peer;

use super::stacks::{C, FUNCTIONS, Frame, WITH_FRAME_POINTERS, build, compile, folder, line};
use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers::large",
        [PrivateNetns, Bpf, Tool("cc"), Sources],
        [events_come_in_time_and_later_ones_have_symbols,]
    );
}

/// Size that is aimed at, bytes.
const SIZE: u64 = 500 << 20;

/// Far more than the budget of 5 ms and what a busy machine adds, far less than reading the file takes.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A file of this test's own, gone at its end.
struct Program(PathBuf);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// An object of many local functions, linked as often as it takes, half of them before the program and half behind.
fn program() -> Program {
    let folder = folder("large");
    let mut source = String::new();
    for index in 0..2000 {
        source += &format!(
            "struct record_{index} {{ int a, b[{index} + 1]; struct record_{index} *next; }};\n\
             static __attribute__((used)) int function_{index}(struct record_{index} *record, int value) {{\n\
             for (int at = 0; at < value; at++) {{ int sum = record->a + at; record = record->next; value -= sum; }}\n\
             return record->b[0] + value;\n}}\n"
        );
    }
    fs::write(folder.join("many.c"), source).unwrap();
    compile("cc", &folder, &["-O0", "-g3", "-c", "many.c"]);
    build("cc", &folder, &[&WITH_FRAME_POINTERS[..], &["-c"]].concat(), C);
    // Relocations, a good part of an object, are not linked.
    let times = SIZE * 5 / 3 / fs::metadata(folder.join("many.o")).unwrap().len() / 2;
    let objects = vec!["many.o"; usize::try_from(times).unwrap()].join("\n");
    fs::write(folder.join("objects"), format!("{objects}\nclose_unread.o\n{objects}\n")).unwrap();
    compile("cc", &folder, &["-o", "large", "@objects"]);
    let program = Program(folder.join("large"));
    let size = fs::metadata(&program.0).unwrap().len();
    assert!(size > SIZE, "{size}");
    program
}

fn events_come_in_time_and_later_ones_have_symbols() {
    let program = program();
    Netns::run(|namespace| {
        let mut observer = Observer::within(namespace, &[]);
        let mut close = || {
            let (_program, act) = peer::close_unread_and_stay(Command::new(&program.0), Family::V4, Side::Client, 100);
            let closed = Instant::now();
            let event = observer.expect("close_unread", &act);
            (Frame::all(&event), closed.elapsed())
        };
        let own = |frames: &[Frame]| -> Vec<(String, Option<u64>)> {
            let own = frames.iter().filter(|frame| frame.module == "large");
            own.take(FUNCTIONS.len()).map(|frame| (frame.symbol.clone(), frame.line)).collect()
        };
        let expected = FUNCTIONS.map(|function| (function.to_owned(), Some(line(C, function))));

        let (frames, took) = close();
        assert!(took < AT_ONCE, "{took:?}");
        assert!(frames.iter().any(|frame| frame.module == "large"), "{frames:#?}");
        assert!(frames.iter().all(|frame| frame.module != "large" || frame.line.is_none()), "{frames:#?}");
        let start = Instant::now();
        loop {
            let (frames, took) = close();
            assert!(took < AT_ONCE, "{took:?}");
            if own(&frames) == expected {
                break;
            }
            assert!(start.elapsed() < DEADLINE, "{frames:#?}");
        }
        let report = observer.stop();
        assert!(report.stopped().number("symbols.late") >= 1, "{:?}", report.stopped());
    });
}
