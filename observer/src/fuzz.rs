//! Doors for fuzzing: every parser of what strangers can write, as a function of bytes. Any bytes must be taken, in
//! bounded time; each says whether it made sense of them. `observer/fuzz` drives them with libFuzzer, the test below
//! with the committed corpora and a bounded number of mutations. Not part of the shipped program.

use std::{fs::File, io::Write as _, path::Path};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::{
    cli, clock::Clock, decode::Decoder, kernel, names, options::Format, placement::Placement, processes,
    processes::Redaction, procfile, render, runtime, symbols,
};

/// A parser under test.
pub struct Target {
    /// Name, also of its folder below `observer/fuzz/corpus`.
    pub name: &'static str,
    /// Feeds it; true when it made sense of the bytes.
    pub run: fn(&[u8]) -> bool,
}

/// Every parser.
pub const TARGETS: &[Target] = &[
    Target { name: "record", run: record },
    Target { name: "life", run: life },
    Target { name: "dns", run: names::fuzz::dns },
    Target { name: "hosts", run: names::fuzz::hosts },
    Target { name: "arguments", run: arguments },
    Target { name: "placement", run: placement },
    Target { name: "procfile", run: procfile },
    Target { name: "maps", run: symbols::fuzz::maps },
    Target { name: "perf", run: symbols::fuzz::perf },
    Target { name: "kallsyms", run: symbols::fuzz::kallsyms },
    Target { name: "demangle", run: symbols::fuzz::demangled },
    Target { name: "image", run: symbols::fuzz::image },
    Target { name: "runtime", run: runtime },
    Target { name: "btf", run: btf },
    Target { name: "config", run: cli::config::fuzz },
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A record of the events' ring, up to the line that is written of it.
fn record(bytes: &[u8]) -> bool {
    let reasons = kernel::Reasons::default();
    let mut decoder = Decoder::new(Clock::with_offset(0), &reasons, "host");
    let Ok(decoded) = decoder.decode(bytes, 1, &mut Vec::new()) else { return false };
    for format in [Format::Json, Format::Text] {
        let mut line = Vec::new();
        render::line(format, &decoded.event, &mut line);
        assert!(line.ends_with(b"\n"), "a line");
        assert!(!line.contains(&0x1b), "no control characters");
    }
    true
}

/// A record of the ring of lives, remembered and asked for.
fn life(bytes: &[u8]) -> bool {
    let Some(life) = processes::lives(bytes) else { return false };
    let mut cache = processes::Processes::new(16, Redaction::Secrets);
    cache.live(life);
    true
}

/// What must never be told.
const SECRET: &str = "Zq7Zq7";

/// Arguments that have it; `_` is a space within one.
const BEARERS: [&str; 6] = [
    "--password=Zq7Zq7",
    "--api-key Zq7Zq7",
    "TOKEN=Zq7Zq7",
    "https://user:Zq7Zq7@host/",
    "http://one/,http://user:Zq7Zq7@two/?x=1",
    "Authorization:_Bearer_Zq7Zq7",
];

/// Command lines: as many arguments as before, and no secret among them is told, whatever stands around it.
fn arguments(bytes: &[u8]) -> bool {
    let arguments: Vec<String> =
        bytes.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into()).collect();
    for redaction in [Redaction::Secrets, Redaction::All] {
        let told = redaction.apply(&arguments);
        assert_eq!(told.len(), arguments.len(), "{redaction:?}");
        assert_eq!(told.first(), arguments.first(), "the program's name is no secret");
    }
    for words in BEARERS.iter().filter(|_| !arguments.iter().any(|one| one.contains(SECRET))) {
        for at in [1, arguments.len()] {
            let mut all = arguments.clone();
            all.splice(at..at, words.split(' ').map(|word| word.replace('_', " ")));
            let told = Redaction::Secrets.apply(&all);
            assert!(told.iter().all(|one| !one.contains(SECRET)), "{all:?} became {told:?}");
        }
    }
    Redaction::Secrets.apply(&arguments) != arguments
}

fn placement(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let placement = Placement::of_file(&text);
    let _ = Placement::of_path(&text);
    placement.container.is_some() || placement.systemd.is_some()
}

/// `stat` and `status`: names of processes are whatever they like.
fn procfile(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let stat = procfile::stat_of(&text, 22).is_some();
    let status = procfile::field_of(&text, "NSpid").is_some();
    let _ = procfile::comm_text(&procfile::comm(bytes));
    stat || status
}

/// An executable, whose runtime is looked for.
fn runtime(bytes: &[u8]) -> bool {
    file(bytes).is_some_and(|file| runtime::detect(&file, "/program", Path::new("/nonexistent")).is_some())
}

/// A BTF file, as for `doctor --btf`.
fn btf(bytes: &[u8]) -> bool {
    file(bytes).is_some_and(|file| kernel::btf::fuzz(&file))
}

/// A file in memory.
fn file(bytes: &[u8]) -> Option<File> {
    let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(bytes).ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, Instant},
    };

    use rustix::time::{ClockId, clock_gettime};

    use super::*;
    use crate::symbols::mutate::Mutations;

    /// For all mutations of one target.
    const TIME: Duration = Duration::from_millis(400);

    /// No input of some kilobytes may take a processor so long.
    const SLOWEST: Duration = Duration::from_secs(2);

    /// What this thread has had of a processor: on a busy machine the time that passes says nothing.
    fn cpu() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
    }

    fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut seeds: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
            .collect();
        seeds.sort();
        seeds
    }

    #[test]
    fn every_target_makes_sense_of_its_corpus() {
        for target in TARGETS {
            let seeds = seeds(target.name);
            let understood = seeds.iter().filter(|(_, bytes)| (target.run)(bytes)).count();
            assert!(understood > 0, "{}: none of {} seeds: is the corpus stale?", target.name, seeds.len());
        }
    }

    #[test]
    fn every_corpus_has_a_target() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(target(name.to_str().unwrap()).is_some(), "{name:?}");
        }
    }

    #[test]
    fn any_mutation_of_a_corpus_is_taken_in_no_time() {
        for target in TARGETS {
            let seeds = seeds(target.name);
            let mut variants: Vec<_> = seeds.iter().map(|(_, bytes)| Mutations::of(bytes, 1)).collect();
            let end = Instant::now() + TIME;
            let (mut rounds, mut slowest) = (0_u32, (Duration::ZERO, Vec::new()));
            while rounds < 2_000 && Instant::now() < end {
                for bytes in variants.iter_mut().filter_map(Iterator::next) {
                    let start = cpu();
                    (target.run)(&bytes);
                    let time = cpu().saturating_sub(start);
                    if time > slowest.0 {
                        slowest = (time, bytes);
                    }
                }
                rounds += 1;
            }
            assert!(slowest.0 < SLOWEST, "{}: {:?} for {:x?}", target.name, slowest.0, slowest.1);
        }
    }
}
