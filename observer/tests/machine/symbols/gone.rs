//! Processes that are gone when their stack is looked at, and numbers that were given away again.

use std::{fs, process::Command};

use conn_observer::symbols::{Executable, Request};

use super::{
    ask::{settled, symbolizer, told},
    native::{FRAMES, compile},
    program::{Scratch, Told},
    suite::tests,
};

tests![
    [] of_a_process_that_was_never_seen_the_own_code_is_named,
    [] of_a_process_that_was_seen_alive_everything_is_named,
    [] a_file_that_replaced_the_program_is_not_taken_for_it,
    [] another_process_with_the_same_number_is_not_taken_for_it,
    [] a_program_that_is_replaced_by_another_one_is_looked_at_again,
];

fn of_a_process_that_was_never_seen_the_own_code_is_named() {
    let scratch = Scratch::new();
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let mut program = Told::start(&mut compile(&scratch, flags));
        program.end();
        let frames = settled(&symbolizer(), &program.request());
        assert_eq!(told(&frames)[..5], FRAMES, "{flags:?}");
        assert!(frames[5..].iter().all(|frame| frame.module.is_none() && frame.address.is_some()), "{frames:#?}");
        // Who saw the program only by the path that it was started by knows no inode. The start is known to 10 ms here:
        // take the end of them, for the program is hardly older.
        let executable = Executable { file: None, ..program.executable.clone() };
        let start_ns = program.start_ns + 9_999_999;
        let request = Request { executable: Some(&executable), start_ns, ..program.request() };
        assert_eq!(told(&settled(&symbolizer(), &request))[..5], FRAMES);
    }
}

fn of_a_process_that_was_seen_alive_everything_is_named() {
    let scratch = Scratch::new();
    let mut program = Told::start(&mut compile(&scratch, &[]));
    let symbolizer = symbolizer();
    let alive = settled(&symbolizer, &program.request());
    program.again();
    let addresses = program.addresses.clone();
    program.end();
    let request = Request { executable: None, addresses: &addresses, ..program.request() };
    assert_eq!(settled(&symbolizer, &Request { executable: Some(&program.executable), ..request }), alive);
    let others = settled(&symbolizer, &request);
    assert!(others.iter().all(|frame| frame.symbol.is_none()), "another program, as far as anybody knows: {others:#?}");
}

fn a_file_that_replaced_the_program_is_not_taken_for_it() {
    let scratch = Scratch::new();
    let mut program = Told::start(&mut compile(&scratch, &[]));
    program.end();
    let path = scratch.path("tell");
    fs::rename(&path, scratch.path("old")).unwrap();
    fs::copy(scratch.path("old"), &path).unwrap();
    for file in [program.executable.file, None] {
        let executable = Executable { file, ..program.executable.clone() };
        let request = Request { executable: Some(&executable), ..program.request() };
        let frames = settled(&symbolizer(), &request);
        assert!(frames.iter().all(|frame| frame.symbol.is_none()), "{frames:#?}");
        assert_eq!(frames[0].module.as_deref(), Some("tell"), "the program's own code all the same");
    }
}

fn another_process_with_the_same_number_is_not_taken_for_it() {
    let scratch = Scratch::new();
    let program = Told::start(&mut compile(&scratch, &["-no-pie"]));
    for request in [
        Request { start_ns: program.start_ns - 20_000_000, executable: None, ..program.request() },
        // The same process, before it replaced its program by this one.
        Request { text_start: program.text.0 + 4096, executable: None, ..program.request() },
    ] {
        let frames = settled(&symbolizer(), &request);
        assert!(frames.iter().all(|frame| frame.symbol.is_none() && frame.module.is_none()), "{frames:#?}");
    }
}

fn a_program_that_is_replaced_by_another_one_is_looked_at_again() {
    let scratch = Scratch::new();
    scratch.write(
        "first.c",
        &super::native::C
            .replace("return 0;", "return execl(\"./second\", \"second\", (char *)0);")
            .replace("#include <stdio.h>", "#include <unistd.h>\n#include <stdio.h>")
            .replace("getchar() == '\\n'", "0"),
    );
    scratch.run("cc", &[&super::native::FLAGS[..], &["-no-pie", "-o", "first", "first.c"]].concat());
    scratch.write("second.c", &super::native::C.replace("outer", "another"));
    scratch.run("cc", &[&super::native::FLAGS[..], &["-no-pie", "-o", "second", "second.c"]].concat());
    let mut command = Command::new(scratch.path("first"));
    let mut program = Told::start(command.current_dir(&scratch.0));
    let symbolizer = symbolizer();
    program.again();
    let path = format!("/proc/{}/exe", program.pid());
    assert!(fs::read_link(path).unwrap().ends_with("second"));
    let frames = settled(&symbolizer, &program.request());
    assert!(told(&frames).iter().any(|frame| frame.starts_with("another ")), "{frames:#?}");
}
