//! Callers of functions without a frame, found on top of the stack; and what else may lie there.

use std::{process::Command, sync::Arc};

use conn_observer::{event::Frame, symbols::Request};

use super::{
    ask::{settled, symbolizer, told},
    native::{self, FLAGS},
    program::{Scratch, Told},
    suite::tests,
};

tests![
    [] the_caller_of_a_function_without_a_frame_is_told,
    [] what_else_lies_on_the_stack_is_no_caller,
    [] a_word_that_is_no_return_address_adds_nothing,
    [] where_nothing_is_missing_nothing_is_added,
    [] without_unwind_tables_a_stack_stays_as_recorded,
];

/// `leaf` is built like `close()`: it has three words on the stack, and no frame pointer. The first two of them hold what
/// earlier calls have left there: addresses behind calls, one of them in the very caller. It tells its stack as the
/// kernel sees it: the frame pointer is still the caller's.
const C: &str = r#"
#include <stdio.h>
void *left[2];
__attribute__((noinline)) void tell(void *here, void **frame, void **stack) {
    printf("%lx", (unsigned long)here);
    for (; frame && frame[1]; frame = (void **)frame[0]) {
        printf(" %lx", (unsigned long)frame[1]);
        if ((void **)frame[0] <= frame) break;
    }
    printf(" top");
    for (int index = 0; index < 32; index++) printf(" %lx", (unsigned long)stack[index]);
    printf("\n");
    fflush(stdout);
}
void leaf(void);
__asm__(".text\n.type leaf, @function\n"
        "leaf: .cfi_startproc\n"
        "sub $0x18, %rsp\n.cfi_adjust_cfa_offset 0x18\n"
        "mov left(%rip), %rax\nmov %rax, (%rsp)\nmov left+8(%rip), %rax\nmov %rax, 8(%rsp)\n"
        "mov %rbp, %rsi\nmov %rsp, %rdx\ncall here\n"
        "here: pop %rdi\n"
        "call tell\n"
        "add $0x18, %rsp\n.cfi_adjust_cfa_offset -0x18\nret\n.cfi_endproc\n.size leaf, .-leaf\n");
__attribute__((noinline)) void leave(int index) {
    left[index] = __builtin_return_address(0);
}
__attribute__((noinline)) int closes(int depth) {
    leave(1);
    if (depth > 0) return closes(depth - 1) + 1;                         // line 29
    leaf();                                                              // line 30
    return depth;
}
__attribute__((noinline)) int other(int depth) {
    leave(0);
    return closes(depth) + 1;                                            // line 35
}
int main(int count, char **words) {
    do other(count - 1); while (getchar() == '\n');                      // line 38
    return 0;
}
"#;

fn start(scratch: &Scratch, flags: &[&str], arguments: &[&str]) -> Told {
    scratch.write("leaf.c", C);
    scratch.run("cc", &[&FLAGS, flags, &["-o", "leaf", "leaf.c"]].concat());
    let program = Told::start(Command::new(scratch.path("leaf")).args(arguments));
    assert_eq!(program.top.len(), 32);
    program
}

fn frames(program: &Told, top: &[u64]) -> Vec<Arc<Frame>> {
    settled(&symbolizer(), &Request { top, ..program.request() })
}

const WITHOUT: [&str; 3] = ["leaf ?:?", "other leaf.c:35", "main leaf.c:38"];

const WITH: [&str; 4] = ["leaf ?:?", "closes leaf.c:30", "other leaf.c:35", "main leaf.c:38"];

/// Where `leaf` keeps its return address.
const RETURN: usize = 3;

fn the_caller_of_a_function_without_a_frame_is_told() {
    let scratch = Scratch::new();
    for flags in [&["-pie", "-fPIE"][..], &["-no-pie"]] {
        let program = start(&scratch, flags, &[]);
        assert_eq!(told(&frames(&program, &[]))[..3], WITHOUT);
        let found = frames(&program, &program.top);
        assert_eq!(told(&found)[..4], WITH);
        assert_eq!(found[1].address, Some(format!("{:#x}", program.top[RETURN])));
        assert_eq!(found[1].module.as_deref(), Some("leaf"));
        let mut program = start(&scratch, flags, &["once", "more"]);
        let recursive = ["leaf ?:?", "closes leaf.c:30", "closes leaf.c:29", "closes leaf.c:29", "other leaf.c:35"];
        assert_eq!(told(&frames(&program, &program.top))[..5], recursive);
        program.end();
        assert_eq!(told(&frames(&program, &program.top))[..5], recursive, "also when the process is gone");
    }
}

fn what_else_lies_on_the_stack_is_no_caller() {
    let program = start(&Scratch::new(), &[], &[]);
    let left = [program.top[0], program.top[1]];
    let symbols = |addresses: &[u64]| {
        let found = settled(&symbolizer(), &Request { addresses, top: &[], ..program.request() });
        found.iter().map(|frame| frame.symbol.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(symbols(&left), ["other", "closes"], "return addresses of calls that were made before");
    let expected = frames(&program, &program.top);
    assert_eq!(told(&expected)[..4], WITH);
    for garbage in [left[0], left[1], program.addresses[0], program.addresses[1], 0, u64::MAX] {
        let mut top = program.top.clone();
        top.fill(garbage);
        top[RETURN] = program.top[RETURN];
        assert_eq!(frames(&program, &top), expected, "{garbage:#x} everywhere else");
    }
}

fn a_word_that_is_no_return_address_adds_nothing() {
    let program = start(&Scratch::new(), &[], &[]);
    let recorded = frames(&program, &[]);
    let caller = program.top[RETURN];
    for word in [0, 1, u64::MAX, caller - 1, caller + 1, program.top[RETURN + 1], program.addresses[1]] {
        let mut top = program.top.clone();
        top[RETURN] = word;
        assert_eq!(frames(&program, &top), recorded, "{word:#x}");
    }
    for len in 0..=RETURN {
        assert_eq!(frames(&program, &program.top[..len]), recorded, "{len} words");
    }
}

fn where_nothing_is_missing_nothing_is_added() {
    let scratch = Scratch::new();
    let program = Told::start(&mut native::compile(&scratch, &[]));
    let recorded = frames(&program, &[]);
    for word in &program.addresses {
        assert_eq!(frames(&program, &[*word; 32]), recorded, "the innermost function has a frame");
    }
}

fn without_unwind_tables_a_stack_stays_as_recorded() {
    let scratch = Scratch::new();
    let program = start(&scratch, &["-no-pie", "-Wl,--no-eh-frame-hdr"], &[]);
    assert_eq!(frames(&program, &program.top), frames(&program, &[]));
    assert_eq!(told(&frames(&program, &program.top))[..3], WITHOUT);
}
