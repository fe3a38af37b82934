//! C, C++ and Rust.

use std::process::Command;

use conn_observer::symbols::Request;

use super::{
    ask::{settled, symbolizer, told},
    program::{Scratch, Told},
    suite::{Need, tests},
};

tests![
    [] c_functions_have_file_and_line,
    [] what_is_dropped_at_rest_is_read_again,
    [] a_stripped_program_has_module_and_offset,
    [Need::Tool("c++")] cpp_reads_like_its_source,
    [Need::Tool("rustc")] rust_is_demangled,
];

/// Tells its stack by its frame pointers, from three functions deep.
pub(crate) const C: &str = r#"
#include <stdio.h>
static __attribute__((always_inline)) inline void tell(void) {
    void *here;
    __asm__ volatile("lea 0(%%rip), %0" : "=r"(here));                   // line 5
    printf("%lx", (unsigned long)here);
    for (void **frame = (void **)__builtin_frame_address(0); frame && frame[1]; frame = (void **)frame[0]) {
        printf(" %lx", (unsigned long)frame[1]);
        if ((void **)frame[0] <= frame) break;
    }
    printf("\n");
    fflush(stdout);
}
__attribute__((noinline)) int innermost(int depth) {
    tell();                                                              // line 15
    return depth + 1;
}
__attribute__((noinline)) int middle(int depth) {
    return innermost(depth) * 2;                                         // line 19
}
__attribute__((noinline)) int outer(int depth) {
    return middle(depth) + 3;                                            // line 22
}
int main(void) {
    do outer(0); while (getchar() == '\n');                              // line 25
    return 0;
}
"#;

pub(crate) const FLAGS: [&str; 4] = ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"];

/// Compiles the program with more flags.
pub(crate) fn compile(scratch: &Scratch, flags: &[&str]) -> Command {
    scratch.write("tell.c", C);
    scratch.run("cc", &[&FLAGS, flags, &["-o", "tell", "tell.c"]].concat());
    Command::new(scratch.path("tell"))
}

pub(crate) const FRAMES: [&str; 5] =
    ["+tell tell.c:5", "innermost tell.c:15", "middle tell.c:19", "outer tell.c:22", "main tell.c:25"];

fn c_functions_have_file_and_line() {
    let scratch = Scratch::new();
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"], &["-gdwarf-4"], &["-gdwarf-5"], &["-gz=zlib"], &["-gdwarf-3"]] {
        let program = Told::start(&mut compile(&scratch, flags));
        let frames = settled(&symbolizer(), &program.request());
        assert_eq!(told(&frames)[..5], FRAMES, "{flags:?}");
        assert!(frames[0].address.is_none(), "an inlined function shares the next one's");
        assert_eq!(frames[1].address, Some(format!("{:#x}", program.addresses[0])));
        assert_eq!(frames[1].module.as_deref(), Some("tell"));
        let offset = frames[2].offset.as_ref().unwrap().trim_start_matches("0x").to_owned();
        assert!((1..64).contains(&u64::from_str_radix(&offset, 16).unwrap()), "{offset} into a small function");
        let libc: Vec<_> = frames.iter().filter(|frame| frame.module.as_deref() == Some("libc.so.6")).collect();
        assert!(!libc.is_empty(), "{frames:#?}");
    }
}

fn what_is_dropped_at_rest_is_read_again() {
    let scratch = Scratch::new();
    let program = Told::start(&mut compile(&scratch, &[]));
    let symbolizer = symbolizer();
    let frames = settled(&symbolizer, &program.request());
    let before = symbolizer.stats();
    symbolizer.rest();
    let after = symbolizer.stats();
    assert!(after.memory < before.memory / 2, "{before:?} {after:?}");
    assert_eq!(settled(&symbolizer, &program.request()), frames);
    assert_eq!(symbolizer.stats().misses, after.misses, "answers stay");
    let others: Vec<u64> = program.addresses.iter().map(|address| address + 1).collect();
    let others = settled(&symbolizer, &Request { addresses: &others, ..program.request() });
    assert!(others.iter().any(|frame| frame.symbol.as_deref() == Some("middle")), "{others:#?}");
}

fn a_stripped_program_has_module_and_offset() {
    let scratch = Scratch::new();
    let mut command = compile(&scratch, &["-pie", "-fPIE"]);
    let whole = settled(&symbolizer(), &Told::start(&mut command).request());
    scratch.run("strip", &["tell"]);
    let program = Told::start(&mut command);
    let frames = settled(&symbolizer(), &program.request());
    assert_eq!(told(&frames)[..3], ["? ?:?", "? ?:?", "? ?:?"], "of which none is inlined: {whole:#?}");
    assert!(frames[..4].iter().all(|frame| frame.module.as_deref() == Some("tell")));
    let offset =
        |index: usize| u64::from_str_radix(frames[index].offset.as_ref().unwrap().trim_start_matches("0x"), 16);
    let distance = program.addresses[0] - offset(0).unwrap();
    assert_eq!(distance, program.addresses[1] - offset(1).unwrap(), "offsets are counted in the file");
    assert_eq!(distance % 4096, 0);
}

fn cpp_reads_like_its_source() {
    let scratch = Scratch::new();
    let source = C.replace("int middle(int depth) {", "int middle(int depth);\nnamespace net { struct Socket { __attribute__((noinline)) int close(int); }; }\nint net::Socket::close(int depth) {")
        .replace("return middle(depth) + 3;", "return net::Socket().close(depth) + 3;");
    scratch.write("tell.cc", &source);
    scratch
        .run("c++", &["-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-o", "tell", "tell.cc"]);
    let program = Told::start(&mut Command::new(scratch.path("tell")));
    let symbolizer = symbolizer();
    assert_eq!(settled(&symbolizer, &program.request())[2].symbol.as_deref(), Some("net::Socket::close"));
}

fn rust_is_demangled() {
    const SOURCE: &str = r#"
use std::{arch::asm, io::Read, hint::black_box};
mod server {
    pub struct Connection;
    impl Connection {
        #[inline(never)]
        pub fn close<T: Into<u64>>(&self, value: T) -> u64 {
            let closing = super::black_box(|| crate::tell());
            closing();
            value.into() + 1
        }
    }
}
#[inline(never)]
fn tell() {
    let (here, mut frame): (u64, *const u64);
    unsafe { asm!("lea {}, [rip]", "mov {}, rbp", out(reg) here, out(reg) frame) };
    let mut line = format!("{here:x}");
    for _ in 0..4 {
        let [next, address] = unsafe { [*frame, *frame.add(1)] };
        line += &format!(" {address:x}");
        frame = next as *const u64;
    }
    println!("{line}");
}
fn main() {
    black_box(server::Connection.close(black_box(7u32)));
    let _ = std::io::stdin().read(&mut [0]);
}
"#;
    let scratch = Scratch::new();
    scratch.write("tell.rs", SOURCE);
    scratch.run("rustc", &["-g", "-Copt-level=1", "-Cforce-frame-pointers=yes", "tell.rs"]);
    let program = Told::start(&mut Command::new(scratch.path("tell")));
    let frames = settled(&symbolizer(), &program.request());
    let symbols: Vec<_> = frames.iter().filter_map(|frame| frame.symbol.as_deref()).collect();
    assert!(symbols.contains(&"tell::tell"), "{symbols:?}");
    let close = frames.iter().find(|frame| frame.symbol.as_deref() == Some("<tell::server::Connection>::close::<u32>"));
    let close = close
        .or_else(|| frames.iter().find(|frame| frame.symbol.as_deref() == Some("tell::server::Connection::close")));
    let close = close.unwrap_or_else(|| panic!("{symbols:?}"));
    assert_eq!((close.line, close.file.as_ref().unwrap().ends_with("tell.rs")), (Some(9), true));
}
