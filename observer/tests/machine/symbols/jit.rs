//! Code that was made at run time, with its names in a perf map.

use std::{fs, process::Command};

use conn_observer::symbols::Request;

use super::{
    ask::{settled, symbolizer, told},
    program::{Scratch, Told},
    suite::{Need, tests},
};

tests![
    [] names_of_a_perf_map_are_told_as_soon_as_they_are_there,
    [Need::Root] a_process_in_other_namespaces_has_its_map_where_it_sees_it,
    [Need::Root] a_perf_map_of_somebody_else_is_not_believed,
    [Need::Tool("node")] node_tells_functions_of_javascript,
];

/// Tells the address of a page that may be executed and belongs to no file, and one in its own program.
const SOURCE: &str = r#"
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    char *code = mmap(0, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    do {
        printf("%lx %lx\n", (unsigned long)code + 0x121, (unsigned long)main + 1);
        fflush(stdout);
    } while (getchar() == '\n');
}
"#;

fn names_of_a_perf_map_are_told_as_soon_as_they_are_there() {
    let scratch = Scratch::new();
    scratch.write("jit.c", SOURCE);
    scratch.run("cc", &["-o", "jit", "jit.c"]);
    let program = Told::start(&mut Command::new(scratch.path("jit")));
    let symbolizer = symbolizer();
    let frames = settled(&symbolizer, &program.request());
    assert_eq!((frames[0].symbol.as_ref(), frames[1].symbol.as_deref()), (None, Some("main")));
    let map = format!("/tmp/perf-{}.map", program.pid());
    fs::write(&map, format!("{:x} 40 LazyCompile:~request /app.js:7\n", program.addresses[0] - 0x21)).unwrap();
    let start = std::time::Instant::now();
    let frames = loop {
        let frames = settled(&symbolizer, &program.request());
        if frames[0].symbol.is_some() {
            break frames;
        }
        assert!(start.elapsed().as_secs() < 60, "{frames:#?}");
    };
    fs::remove_file(map).unwrap();
    assert_eq!(frames[0].symbol.as_deref(), Some("LazyCompile:~request /app.js:7"));
    assert_eq!(frames[0].offset.as_deref(), Some("0x21"));
}

fn a_process_in_other_namespaces_has_its_map_where_it_sees_it() {
    let scratch = Scratch::new();
    scratch.write("jit.c", SOURCE);
    scratch.run("cc", &["-o", "jit", "jit.c"]);
    let inside = "mount -t tmpfs tmpfs /tmp && exec ./jit";
    let mut command = Command::new("unshare");
    let outer = Told::start(command.args(["--mount", "--pid", "--fork", "sh", "-c", inside]).current_dir(&scratch.0));
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", outer.pid())).unwrap();
    let pid = children.trim().parse().unwrap();
    // It is the first process there.
    let map = format!("/proc/{pid}/root/tmp/perf-1.map");
    fs::write(map, format!("{:x} 40 inside\n", outer.addresses[0] - 0x21)).unwrap();
    let request = Request { pid, start_ns: 0, text_start: 0, text_end: 0, executable: None, ..outer.request() };
    let frames = settled(&symbolizer(), &request);
    assert_eq!((frames[0].symbol.as_deref(), frames[1].symbol.as_deref()), (Some("inside"), Some("main")));
}

fn a_perf_map_of_somebody_else_is_not_believed() {
    let scratch = Scratch::new();
    scratch.write("jit.c", SOURCE);
    scratch.run("cc", &["-o", "jit", "jit.c"]);
    let program = Told::start(&mut Command::new(scratch.path("jit")));
    let map = format!("/tmp/perf-{}.map", program.pid());
    fs::write(&map, format!("{:x} 1000 forged\n", program.addresses[0] & !0xfff)).unwrap();
    std::os::unix::fs::chown(&map, Some(65_534), None).unwrap();
    let frames = settled(&symbolizer(), &program.request());
    fs::remove_file(map).unwrap();
    assert_eq!(frames[0].symbol, None);
}

fn node_tells_functions_of_javascript() {
    const SCRIPT: &str = "
function undrained(value) { return value + 1; }
let sum = 0;
for (let index = 0; index < 100000; index++) sum += undrained(index);
const fs = require('fs');
const map = fs.readFileSync(`/tmp/perf-${process.pid}.map`, 'utf8').split('\\n');
const line = map.filter(line => line.includes('undrained')).pop();
console.log((parseInt(line.split(' ')[0], 16) + 1).toString(16));
process.stdin.on('data', () => process.exit());
process.stdin.on('end', () => process.exit());
";
    let scratch = Scratch::new();
    let script = scratch.write("script.js", SCRIPT);
    let mut program = Told::start(Command::new("node").arg("--perf-basic-prof").arg(script).current_dir(&scratch.0));
    let request = Request { ..program.request() };
    let frames = settled(&symbolizer(), &request);
    let map = format!("/tmp/perf-{}.map", program.pid());
    program.end();
    fs::remove_file(map).unwrap();
    let symbol = frames[0].symbol.as_ref().unwrap_or_else(|| panic!("{:?}", told(&frames)));
    assert!(symbol.contains("undrained") && symbol.contains("script.js"), "{symbol}");
}
