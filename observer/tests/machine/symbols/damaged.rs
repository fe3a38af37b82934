//! Files that change while they are read.

use std::{fs::File, process::Command};

use super::{
    ask::{settled, symbolizer, told},
    native::{FRAMES, compile},
    program::{Scratch, Told},
    suite::tests,
};

tests![
    [] a_library_that_is_cut_off_while_it_is_known_harms_nobody,
    [] a_program_that_is_no_elf_file_any_more_is_placed_all_the_same,
];

/// A library can be truncated while it is mapped and executed; a program can not.
fn a_library_that_is_cut_off_while_it_is_known_harms_nobody() {
    let scratch = Scratch::new();
    scratch.write("tell.c", super::native::C);
    scratch.write("main.c", "int run(void); int main(void) { return run(); }");
    scratch.run("sed", &["-i", "s/int main/int run/", "tell.c"]);
    scratch.run("cc", &[&super::native::FLAGS[..], &["-shared", "-fPIC", "-o", "libtell.so", "tell.c"]].concat());
    scratch.run(
        "cc",
        &[&super::native::FLAGS[..], &["-o", "main", "main.c", "-L.", "-ltell", "-Wl,-rpath,$ORIGIN"]].concat(),
    );
    let program = Told::start(&mut Command::new(scratch.path("main")));
    let symbolizer = symbolizer();
    let frames = settled(&symbolizer, &program.request());
    assert_eq!(told(&frames)[..4], FRAMES[..4]);
    assert_eq!(frames[1].module.as_deref(), Some("libtell.so"));
    for len in [100, 0] {
        File::options().write(true).open(scratch.path("libtell.so")).unwrap().set_len(len).unwrap();
        assert_eq!(settled(&symbolizer, &program.request()), frames, "what is known stays");
        let others: Vec<u64> = program.addresses.iter().map(|address| address + 1).collect();
        let request = conn_observer::symbols::Request { addresses: &others, ..program.request() };
        assert_eq!(settled(&symbolizer, &request).len(), others.len());
        let frames = settled(&super::ask::symbolizer(), &program.request());
        assert_eq!((frames[0].symbol.as_ref(), frames[0].module.as_deref()), (None, Some("libtell.so")));
    }
}

fn a_program_that_is_no_elf_file_any_more_is_placed_all_the_same() {
    let scratch = Scratch::new();
    let mut program = Told::start(&mut compile(&scratch, &[]));
    program.end();
    File::options().write(true).open(scratch.path("tell")).unwrap().set_len(3).unwrap();
    let frames = settled(&symbolizer(), &program.request());
    assert!(frames.iter().all(|frame| frame.symbol.is_none()));
    assert_eq!(frames[0].module.as_deref(), Some("tell"));
}
