//! A program with half a gigabyte of debug information.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use super::{
    ask::{symbolizer, told, user},
    native::{C, FLAGS, FRAMES},
    program::{Scratch, Told},
    suite::tests,
};

tests![
    [] the_first_answer_comes_in_time_and_later_ones_have_symbols,
];

/// Size that is aimed at, bytes.
const SIZE: u64 = 500 << 20;

/// One object with many functions, linked as often as it takes: they are local, so nobody minds.
fn build(scratch: &Scratch) -> Command {
    let mut source = String::new();
    for index in 0..2000 {
        source += &format!(
            "struct record_{index} {{ int a, b[{index} + 1]; struct record_{index} *next; }};\n\
             static __attribute__((used)) int function_{index}(struct record_{index} *record, int value) {{\n\
             for (int at = 0; at < value; at++) {{ int sum = record->a + at; record = record->next; value -= sum; }}\n\
             return record->b[0] + value;\n}}\n"
        );
    }
    scratch.write("many.c", &source);
    scratch.run("cc", &["-O0", "-g3", "-c", "many.c"]);
    scratch.write("tell.c", C);
    scratch.run("cc", &[&FLAGS[..], &["-c", "tell.c"]].concat());
    // Relocations, a good part of an object, stay behind. Half of the objects go before the program, half behind.
    let times = SIZE * 5 / 3 / fs::metadata(scratch.path("many.o")).unwrap().len() / 2;
    let objects = vec!["many.o"; times as usize].join("\n");
    scratch.write("objects", &format!("{objects}\ntell.o\n{objects}\n"));
    scratch.run("cc", &["-o", "large", "@objects"]);
    let size = fs::metadata(scratch.path("large")).unwrap().len();
    assert!(size > SIZE, "{size}");
    Command::new(scratch.path("large"))
}

fn the_first_answer_comes_in_time_and_later_ones_have_symbols() {
    let scratch = Scratch::new();
    let program = Told::start(&mut build(&scratch));
    let other = Told::start(&mut super::native::compile(&scratch, &[]));
    let symbolizer = symbolizer();
    let start = Instant::now();
    let ask = |program: &Told| {
        let asked = Instant::now();
        let frames = user(&symbolizer, &program.request(), asked + Duration::from_millis(5));
        (frames, asked.elapsed())
    };
    let (frames, first) = ask(&program);
    assert!(
        frames.iter().all(|frame| frame.symbol.is_none()),
        "to index this file takes longer than that: {frames:#?}"
    );
    assert_eq!(frames.len(), program.addresses.len());
    // Others do not wait for it.
    while ask(&other).0.iter().all(|frame| frame.line.is_none()) {
        assert!(start.elapsed() < Duration::from_secs(60));
    }
    let (frames, _) = ask(&program);
    assert!(frames[0].symbol.is_none(), "it is still being read: {frames:#?}");
    let mut slowest = first;
    let mut until = |what: fn(&[String]) -> bool| loop {
        let (frames, took) = ask(&program);
        slowest = slowest.max(took);
        if what(&told(&frames)) {
            break start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{frames:#?}");
    };
    let named = until(|told| told[0].starts_with("innermost ") || told[1].starts_with("innermost "));
    until(|told| told[..5] == FRAMES);
    // The budget, and what a busy machine takes to wake a thread.
    assert!(slowest < Duration::from_millis(200) && slowest < named / 2, "{slowest:?}");
    assert!(symbolizer.stats().late > 0);
}
