//! Programs whose file is not where its path says.

use std::{fs, process::Command};

use super::{
    ask::{settled, symbolizer, told},
    native::{FRAMES, compile},
    program::{Scratch, Told},
    suite::{Need, tests},
};

tests![
    [] a_deleted_program_is_named_while_it_runs,
    [Need::Root] a_program_in_another_mount_namespace_is_named,
];

fn a_deleted_program_is_named_while_it_runs() {
    let scratch = Scratch::new();
    let program = Told::start(&mut compile(&scratch, &[]));
    fs::remove_file(scratch.path("tell")).unwrap();
    let frames = settled(&symbolizer(), &program.request());
    assert_eq!(told(&frames)[..5], FRAMES);
    assert_eq!(frames[1].module.as_deref(), Some("tell"), "without what the kernel adds to its path");
}

fn a_program_in_another_mount_namespace_is_named() {
    let scratch = Scratch::new();
    compile(&scratch, &[]);
    fs::create_dir(scratch.path("hidden")).unwrap();
    let inside = "mount -t tmpfs tmpfs hidden && cp tell hidden/elsewhere && exec hidden/elsewhere";
    let mut command = Command::new("unshare");
    let program = Told::start(command.args(["--mount", "sh", "-c", inside]).current_dir(&scratch.0));
    assert!(!scratch.path("hidden/elsewhere").exists());
    let frames = settled(&symbolizer(), &program.request());
    assert_eq!(told(&frames)[..5], FRAMES);
    assert_eq!(frames[1].module.as_deref(), Some("elsewhere"));
}
