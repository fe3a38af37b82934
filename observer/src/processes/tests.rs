//! Lives as the kernel side tells them: programs over time, children, limits, and noise.

use observer_ebpf::{Life as Head, life_flag};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;
use crate::event::Attribution;

/// An id that no process has here: the largest that the kernel gives out is 4,194,304.
const NOBODY: u32 = 4_194_400;

fn head(step: u32, pid: u32, time_ns: u64) -> Head {
    let mut head = Head::new_zeroed();
    head.step = step;
    head.tgid = pid;
    head.time_ns = time_ns;
    head.start_ns = 5 * TICK_NS + 1;
    head
}

fn executed(pid: u32, time_ns: u64, path: &str, arguments: &[u8]) -> Vec<u8> {
    let mut head = head(Step::EXEC, pid, time_ns);
    head.flags = life_flag::TERMINAL;
    head.path_bytes = path.len() as u32;
    head.argument_bytes = arguments.len() as u32;
    head.comm[0] = u32::from_ne_bytes(*b"prog");
    [head.as_bytes(), path.as_bytes(), arguments].concat()
}

/// A child of [`NOBODY`], which has that name then.
fn forked(pid: u32, time_ns: u64, parent: &[u8; 4]) -> Vec<u8> {
    let mut fork = head(Step::FORK, pid, time_ns);
    fork.parent = NOBODY;
    fork.parent_start_ns = fork.start_ns;
    fork.comm[0] = u32::from_ne_bytes(*parent);
    fork.as_bytes().to_vec()
}

fn cache(keep: usize) -> Processes {
    Processes::new(keep, Redaction::None)
}

fn tell(cache: &mut Processes, bytes: &[u8]) {
    cache.live(lives(bytes).expect("a life"));
}

fn describe(cache: &mut Processes, pid: u32, time_ns: u64) -> Arc<Process> {
    let bare = Process { start_ns: 5 * TICK_NS + 9, ..Process::of(pid, pid, Attribution::Current) };
    let mut process = Arc::new(bare);
    cache.describe(&mut process, time_ns);
    process
}

#[test]
fn a_finding_has_the_program_of_its_time() {
    let mut cache = cache(8);
    tell(&mut cache, &executed(NOBODY, 100, "/bin/first", b"first\0-a\0"));
    tell(&mut cache, &executed(NOBODY, 200, "/bin/second", b"second\0"));
    tell(&mut cache, head(Step::END, NOBODY, 300).as_bytes());
    let early = describe(&mut cache, NOBODY, 150);
    assert_eq!(early.executable.as_ref().unwrap().path, "/bin/first");
    assert_eq!(*early.command_args, ["first", "-a"]);
    assert_eq!(early.interactive, Some(true));
    assert_eq!(*describe(&mut cache, NOBODY, 250).command_args, ["second"]);
    assert_eq!(cache.lookups, Lookups { hits: 2, ..Lookups::default() });
}

#[test]
fn a_child_has_its_parents_program_until_it_runs_its_own() {
    let mut cache = cache(8);
    tell(&mut cache, &executed(NOBODY, 100, "/bin/sh", b"sh\0"));
    tell(&mut cache, &forked(NOBODY + 1, 200, b"name"));
    tell(&mut cache, head(Step::END, NOBODY, 250).as_bytes());
    tell(&mut cache, &executed(NOBODY + 1, 300, "/bin/curl", b"curl\0"));
    let child = describe(&mut cache, NOBODY + 1, 210);
    assert_eq!(*child.command_args, ["sh"]);
    assert_eq!(child.parents, [Ancestor { pid: NOBODY, comm: "name".to_owned() }], "by the name it had then");
    assert_eq!(*describe(&mut cache, NOBODY + 1, 310).command_args, ["curl"]);
}

#[test]
fn five_ancestors_are_told_also_when_they_are_gone() {
    let mut cache = cache(8);
    for generation in 1..8 {
        let mut fork = head(Step::FORK, NOBODY + generation, 100);
        fork.parent = NOBODY + generation - 1;
        fork.parent_start_ns = fork.start_ns;
        tell(&mut cache, fork.as_bytes());
        tell(&mut cache, head(Step::END, NOBODY + generation - 1, 200).as_bytes());
    }
    let parents: Vec<u32> = describe(&mut cache, NOBODY + 7, 300).parents.iter().map(|one| one.pid).collect();
    assert_eq!(parents, [6, 5, 4, 3, 2].map(|generation| NOBODY + generation));
    assert_eq!(describe(&mut cache, NOBODY + 2, 300).parents.len(), 1, "as many as are known");
}

#[test]
fn an_id_that_is_given_away_again_is_another_process() {
    let mut cache = cache(8);
    tell(&mut cache, &executed(NOBODY, 100, "/bin/first", b"first\0"));
    let bare = Process { start_ns: 9 * TICK_NS, ..Process::of(NOBODY, NOBODY, Attribution::Current) };
    let mut process = Arc::new(bare);
    assert!(cache.describe(&mut process, 150).is_none());
    assert_eq!(process.executable, None);
    assert_eq!(cache.lookups, Lookups { misses: 1, unknown: 1, ..Lookups::default() });
}

#[test]
fn the_gone_are_forgotten_in_their_order_and_the_living_are_bounded() {
    let mut cache = cache(3);
    for pid in NOBODY..NOBODY + 10 {
        tell(&mut cache, &executed(pid, 100, "/bin/x", b"x\0"));
        tell(&mut cache, head(Step::END, pid, 200).as_bytes());
    }
    assert_eq!(cache.sizes(), (0, 3));
    assert!(describe(&mut cache, NOBODY + 6, 150).executable.is_none());
    assert!(describe(&mut cache, NOBODY + 7, 150).executable.is_some());
    for pid in 0..LIVING as u32 + 100 {
        tell(&mut cache, head(Step::FORK, NOBODY + 10 + pid, 300).as_bytes());
    }
    assert_eq!(cache.sizes(), (LIVING, 3));
    assert_eq!(cache.newest.len(), LIVING + 3, "nothing else grows");
}

#[test]
fn this_process_is_found_whether_it_was_scanned_or_not() {
    let pid = std::process::id();
    for scanned in [true, false] {
        let mut cache = cache(8);
        if scanned {
            cache.scan();
        }
        let mut process = Arc::new(Process::of(pid, pid, Attribution::Current));
        assert!(cache.describe(&mut process, u64::MAX).is_some_and(|image| image.text.is_some()));
        let path = std::env::current_exe().unwrap();
        assert_eq!(process.executable.as_ref().unwrap().path, path.to_str().unwrap());
        assert_eq!(*process.command_args, *std::env::args().collect::<Vec<_>>());
        assert_eq!(cache.lookups.hits, u64::from(scanned));
    }
}

#[test]
fn noise_is_decoded_or_refused_but_never_panics() {
    let whole = executed(NOBODY, 100, "/bin/first", b"first\0-a\0");
    for length in 0..whole.len() {
        assert_eq!(lives(&whole[..length]), None, "prefix of {length} bytes");
    }
    let mut cache = cache(8);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if state >> 59 == 0 {
                *byte = (state >> 32) as u8;
            }
        }
        if let Some(life) = lives(&bytes) {
            cache.live(life);
        }
    }
}

#[test]
fn what_was_told_before_is_told_again_as_long_as_it_holds() {
    let mut cache = cache(8);
    tell(&mut cache, &executed(NOBODY, 100, "/bin/sh", b"sh\0"));
    tell(&mut cache, &forked(NOBODY + 1, 200, b"sh\0\0"));
    tell(&mut cache, &executed(NOBODY + 1, 300, "/bin/curl", b"curl\0"));
    let first = describe(&mut cache, NOBODY + 1, 310);
    let mut again = |process: &Arc<Process>, time_ns| {
        let mut process = Arc::clone(process);
        cache.describe(&mut process, time_ns);
        process
    };
    assert!(Arc::ptr_eq(&first, &again(&first, 320)), "nothing is made anew");
    assert_eq!(*again(&first, 210).command_args, ["sh"], "an event that is older");
    assert_eq!(*first.command_args, ["curl"], "what was told stays as it was");
}

#[test]
fn what_was_told_before_gives_way_to_what_is_known_by_now() {
    let mut cache = cache(2);
    tell(&mut cache, &executed(NOBODY, 100, "/bin/sh", b"sh\0"));
    tell(&mut cache, &forked(NOBODY + 1, 200, b"sh\0\0"));
    let mut process = describe(&mut cache, NOBODY + 1, 210);
    assert_eq!(process.parents, [Ancestor { pid: NOBODY, comm: "sh".to_owned() }]);
    assert_eq!(process.executable.as_ref().unwrap().path, "/bin/sh");

    tell(&mut cache, &forked(NOBODY + 2, 300, b"name"));
    cache.describe(&mut process, 310);
    assert_eq!(process.parents, [Ancestor { pid: NOBODY, comm: "name".to_owned() }], "the parent has another name");

    tell(&mut cache, &executed(NOBODY, 400, "/bin/other", b"other\0"));
    cache.describe(&mut process, 410);
    assert_eq!(process.parents, [Ancestor { pid: NOBODY, comm: "prog".to_owned() }], "the parent runs another program");

    tell(&mut cache, &executed(NOBODY + 1, 500, "/bin/curl", b"curl\0-s\0"));
    cache.describe(&mut process, 510);
    assert_eq!(process.executable.as_ref().unwrap().path, "/bin/curl");
    assert_eq!(*process.command_args, ["curl", "-s"]);
    assert_eq!(process.interactive, Some(true));

    for pid in [NOBODY, NOBODY + 3, NOBODY + 4] {
        tell(&mut cache, &executed(pid, 600, "/bin/x", b"x\0"));
        tell(&mut cache, head(Step::END, pid, 700).as_bytes());
    }
    cache.describe(&mut process, 710);
    assert!(process.parents.is_empty(), "the parent is forgotten");
    for pid in [NOBODY + 1, NOBODY + 5, NOBODY + 6] {
        tell(&mut cache, &executed(pid, 800, "/bin/x", b"x\0"));
        tell(&mut cache, head(Step::END, pid, 900).as_bytes());
    }
    assert!(cache.describe(&mut process, 910).is_none(), "and so is the process itself");
    assert_eq!((&process.executable, process.command_args.len(), process.interactive), (&None, 0, None));
}
